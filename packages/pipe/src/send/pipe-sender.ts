import {
  BusError,
  type ChannelCounters,
  type ChannelHost,
  type DrainOptions,
  type EnvelopeWriter,
  type Pipe,
  type PipeOptions,
  type PipeStatistics,
  type SendOptions,
  type Sent,
  type WrittenEnvelope,
} from "@agentbus/core";
import { PIPE_CAPABILITIES, SERVICE } from "../capabilities.js";
import { Feed } from "./feed.js";
import { offerPipe, type PipeTarget } from "./offer-pipe.js";
import type { WritingEnds } from "./offered-fifo.js";
import { SpoolDetour } from "./spool-detour.js";
import { WaitingRoom, type Letter } from "./waiting-room.js";

/** Between two looks for a drop box that is not there, in milliseconds. */
const LOOK_MS = 100;
const DRAIN_MS = 30_000;

/**
 * The sending end of a pipe to one agent.
 *
 * ```text
 *                    taken up                     room again
 *   waiting ──────────────────────► connected ◄──────────────► connected, and full
 *      ▲ │ ▲                             │
 *      │ │ └─────────────────────────────┘ the receiver is gone (EPIPE); what it had not read goes first
 *      │ ▼ nobody receives, fallback "spool"
 *   spooling    until the receiver is there, and has acknowledged all that was spooled
 * ```
 */
export class PipeSender implements Pipe {
  readonly capabilities = PIPE_CAPABILITIES;
  readonly to: string;
  readonly stats: PipeStatistics = { sent: 0, bytes: 0, spooled: 0, connections: 0 };
  readonly #host: ChannelHost;
  readonly #target: PipeTarget;
  readonly #writer: EnvelopeWriter;
  readonly #fallback: NonNullable<PipeOptions["fallback"]>;
  readonly #room: WaitingRoom;
  readonly #isTimed: boolean;
  readonly #detour: SpoolDetour;
  readonly #counters: ChannelCounters;
  readonly #closing = new AbortController();
  readonly #release: () => void;
  /** While a receiver has taken the pipe up. */
  #feed: Feed | undefined;
  /** On its way into the inbox. */
  #spooled: Letter | undefined;
  #driving: Promise<void> | undefined;
  #isSpooling = false;
  #isDraining = false;
  #closed: Promise<void> | undefined;
  /** In the pipe when its receiver went, and not to be sent again. */
  #lost = 0;
  #onIdle: (() => void)[] = [];

  constructor(host: ChannelHost, target: PipeTarget, writer: EnvelopeWriter, options: PipeOptions) {
    this.to = target.address;
    this.#host = host;
    this.#target = target;
    this.#writer = writer;
    this.#fallback = options.fallback ?? "wait";
    this.#room = new WaitingRoom(target.address, options.timeoutMs);
    this.#isTimed = options.timeoutMs !== undefined;
    this.#detour = new SpoolDetour(host);
    this.#counters = host.show({ kind: "pipe", role: "sender", peer: target.user });
    const forget = host.keep(this);
    const stopLooking = host.everyNowAndThen(async () => this.#feed?.look(), false);
    const onAbort = () => void this.close();
    options.signal?.addEventListener("abort", onAbort);
    this.#release = () => {
      forget();
      stopLooking();
      options.signal?.removeEventListener("abort", onAbort);
      this.#counters.close();
    };
  }

  get state(): Pipe["state"] {
    if (this.#closed !== undefined) return "closed";
    if (this.#feed !== undefined) return "connected";
    return this.#isSpooling ? "spooling" : "waiting";
  }

  /** No async function: to wait for a promise only to hand it on would cost as much as all else. */
  send(data: unknown, options?: SendOptions): Promise<Sent> {
    try {
      if (this.#isDraining) throw this.#closedError();
      const composed = options === undefined && !this.#isTimed ? this.#feed?.compose(this.#writer, data) : undefined;
      if (composed !== undefined) return composed;
      const signal = options?.signal;
      signal?.throwIfAborted();
      const written = this.#writer.write(data, options);
      return written instanceof Promise ? written.then((late) => this.#put(late, signal)) : this.#put(written, signal);
    } catch (error) {
      return refusedWith(error);
    }
  }

  async drain(options: DrainOptions = {}): Promise<void> {
    this.#isDraining = true;
    this.#feed?.look();
    if (!this.#isIdle && this.#closed === undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, options.timeoutMs ?? DRAIN_MS);
        this.#onIdle.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    await this.close();
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  #put({ id, text }: WrittenEnvelope, signal: AbortSignal | undefined): Promise<Sent> {
    if (this.#closed !== undefined) throw this.#closedError();
    if (this.#feed !== undefined) return this.#feed.put(id, text, signal);
    const sent = this.#room.enter(id, text, signal, this.#onGone);
    this.#drive();
    return sent;
  }

  /** Sees to it that what waits gets on its way; while a pipe is connected its events do. */
  #drive(): void {
    if (this.#feed !== undefined) return this.#feed.flush();
    this.#driving ??= this.#findWay()
      .catch((error: unknown) => this.#refuse(() => error))
      .finally(() => {
        this.#driving = undefined;
        if (this.#closed === undefined && !this.#room.isEmpty) this.#drive();
        else this.#tellIdle();
      });
  }

  /** Connects, or sends by the spool, or refuses; what waits then is for the next call. */
  async #findWay(): Promise<void> {
    while (!this.#room.isEmpty && this.#closed === undefined && this.#feed === undefined) {
      const isServed = this.#isServed;
      if (this.#fallback === "fail" && !isServed) return this.#refuse(() => this.#noPeer());
      this.#isSpooling = this.#fallback === "spool" && (!isServed || this.#detour.isInUse);
      if (this.#isSpooling) await this.#spoolNext();
      else await this.#connect();
    }
  }

  get #isServed(): boolean {
    return !this.#isBarred && this.#host.serverOf(SERVICE, this.#target.user, this.#target.uid) !== undefined;
  }

  get #isBarred(): boolean {
    return this.#host.isBarred("pipes", this.#host.user) || this.#host.isBarred("pipes", this.#target.user);
  }

  async #connect(): Promise<void> {
    this.#host.requireNotBarred("pipes", this.#target.user);
    // Whoever chose to fail, or to use the spool, waits only for a receiver that runs.
    const isOver = () => this.#room.isEmpty || (this.#fallback !== "wait" && !this.#isServed);
    const offer = { isOver, onTakenUp: (ends: WritingEnds) => this.#startFeeding(ends) };
    if (!(await offerPipe(this.#host, this.#target, offer, this.#closing.signal))) {
      await pause(LOOK_MS, this.#closing.signal);
    }
  }

  #startFeeding(ends: WritingEnds): void {
    this.stats.connections++;
    this.#feed = new Feed(this.#host, ends, this.#room, {
      onAccepted: (letters, bytes) => this.#countSent(letters, bytes),
      onEmpty: this.#onGone,
      onBroken: (unread) => this.#break(unread),
    });
    this.#feed.flush();
  }

  async #spoolNext(): Promise<void> {
    const [letter] = this.#room.take(0);
    if (letter === undefined) return;
    try {
      this.#spooled = letter;
      await this.#detour.send(letter.text, this.#closing.signal);
      this.stats.spooled++;
      letter.resolve?.({ id: letter.id });
    } catch (error) {
      if (letter.reject === undefined) this.#lost++;
      letter.reject?.(error);
    } finally {
      this.#spooled = undefined;
    }
  }

  /** Nobody reads any more; what was under way, or not read, waits again. */
  #break(unread: number): void {
    this.#feed = undefined;
    this.stats.sent -= unread;
    if (!this.#room.isEmpty) this.#drive();
  }

  #countSent(letters: number, bytes: number): void {
    this.stats.sent += letters;
    this.stats.bytes += bytes;
    this.#counters.messages += letters;
    this.#counters.bytes += bytes;
  }

  #refuse(errorOf: () => unknown): void {
    const letters = this.#room.take(Infinity);
    for (const { reject } of letters) if (reject === undefined) this.#lost++;
    for (const { reject } of letters) reject?.(errorOf());
    this.#tellIdle();
  }

  readonly #onGone = () => this.#tellIdle();

  get #isIdle(): boolean {
    return this.#room.isEmpty && this.#feed?.isEmpty !== false && this.#driving === undefined;
  }

  #tellIdle(): void {
    if (this.#isIdle && this.#onIdle.length > 0) for (const wake of this.#onIdle.splice(0)) wake();
  }

  async #close(): Promise<void> {
    this.#isDraining = true;
    this.#closing.abort(this.#closedError());
    this.#spooled?.reject?.(this.#closedError());
    this.#feed?.close(this.#closedError());
    this.#feed = undefined;
    this.#refuse(() => this.#closedError());
    await this.#driving;
    this.#detour.close();
    this.#release();
    for (const wake of this.#onIdle.splice(0)) wake();
  }

  #closedError(): BusError {
    return new BusError("ERR_CLOSED", `cannot send to ${this.to}: the pipe is closed`);
  }

  #noPeer(): BusError {
    const lost = this.#lost === 0 ? "" : `; ${this.#lost} messages that its last receiver had not read are lost`;
    const error = new BusError("ERR_NO_PEER", `nobody receives pipes to ${this.to}${lost}`, {
      fix: `let ${this.#target.user} receive them (agentbus pipe receive), or send with fallback "wait" or "spool"`,
      details: { lost: this.#lost },
    });
    this.#lost = 0;
    return error;
  }
}

async function refusedWith(error: unknown): Promise<never> {
  throw error;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish);
  });
}
