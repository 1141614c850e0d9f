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
import { OfferedFifo } from "./offered-fifo.js";
import { Outflow } from "./outflow.js";
import { SpoolDetour } from "./spool-detour.js";
import { WaitingRoom, type Letter } from "./waiting-room.js";

/** Waiting messages are put into the pipe together, up to so many characters at a time. */
const TOGETHER = 32 * 1024;
/** Each time after so many messages that found room at once, the event loop gets a turn. */
const BREATHE_AFTER = 256;
/** Between two looks for a drop box that is not there, in milliseconds. */
const LOOK_MS = 100;
const DRAIN_MS = 30_000;

export interface PipeTarget {
  readonly user: string;
  readonly uid: number;
  /** `@user`. */
  readonly address: string;
}

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
  readonly #detour: SpoolDetour;
  readonly #counters: ChannelCounters;
  readonly #closing = new AbortController();
  readonly #release: () => void;
  #outflow: Outflow | undefined;
  /** Those of which the pipe may have a part. */
  #inFlight: Letter[] = [];
  #driving: Promise<void> | undefined;
  #isSpooling = false;
  /** A message has found room, and nobody else has had a turn since. */
  #isBurst = false;
  /** Characters that came since the last look for room. */
  #since = 0;
  #isDraining = false;
  #closed: Promise<void> | undefined;
  #count = 0;
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
    this.#detour = new SpoolDetour(host);
    this.#counters = host.show({ kind: "pipe", role: "sender", peer: target.user });
    const forget = host.keep(this);
    const stopLooking = host.everyNowAndThen(async () => this.#look(), false);
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
    if (this.#outflow !== undefined) return "connected";
    return this.#isSpooling ? "spooling" : "waiting";
  }

  /** No async function: to wait for a promise only to hand it on would cost as much as all else. */
  send(data: unknown, options?: SendOptions): Promise<Sent> {
    try {
      if (this.#isDraining) throw this.#closedError();
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
    this.#look();
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
    const outflow = this.#outflow;
    if (outflow === undefined || !outflow.isReady || !this.#room.isEmpty || this.#isBurst) {
      const sent = this.#room.enter(id, text, signal, this.#onGone);
      if (!this.#isBurst) this.#drive();
      else if ((this.#since += text.length) >= TOGETHER) this.#pushOn();
      return sent;
    }
    this.#isBurst = true;
    void SETTLED.then(this.#endBurst);
    if (outflow.push([text], text) === 1) {
      this.#countSent(text);
      return ++this.#count % BREATHE_AFTER === 0 ? nextTurn({ id }) : Promise.resolve({ id });
    }
    const { letter, sent } = this.#room.write(id, text, signal);
    this.#stopAt([letter], outflow);
    return sent;
  }

  /** What was sent in one go, by whoever did not wait, goes into the pipe together. The first one is in it already. */
  readonly #endBurst = () => {
    this.#pushOn();
    this.#isBurst = false;
    this.#outflow?.wait();
  };
  /** The receiver may have made room meanwhile, of which the event loop had no turn to tell. */
  #pushOn(): void {
    const outflow = this.#outflow;
    this.#since = 0;
    if (outflow === undefined) return this.#room.isEmpty ? undefined : this.#drive();
    if (outflow.isReady) this.#flush();
    else if (outflow.retry()) this.#written();
    else if (outflow.isBroken) this.#break();
  }

  readonly #onGone = () => this.#tellIdle();

  /** Sees to it that what waits gets on its way; while a pipe is connected its events do. */
  #drive(): void {
    if (this.#outflow !== undefined) return this.#flush();
    this.#driving ??= this.#findWay()
      .catch((error: unknown) => this.#refuse(() => error))
      .finally(() => {
        this.#driving = undefined;
        if (this.#closed === undefined && !this.#room.isEmpty) this.#drive();
        else this.#tellIdle();
      });
  }

  #flush(): void {
    while (!this.#room.isEmpty) {
      const outflow = this.#outflow;
      if (outflow?.isReady !== true) return;
      const letters = this.#room.take(TOGETHER);
      const frames = letters.map(({ text }) => text);
      const count = outflow.push(frames, frames.length === 1 ? (frames[0] as string) : frames.join(""));
      this.#settle(letters.slice(0, count));
      if (count < letters.length) return this.#stopAt(letters.slice(count), outflow);
    }
    this.#tellIdle();
  }

  /** @param letters of which the first found no room, or no reader */
  #stopAt(letters: readonly Letter[], outflow: Outflow): void {
    this.#inFlight = letters.slice(0, 1);
    this.#room.putBack(letters.slice(1));
    if (outflow.isBroken) this.#break();
    else if (!this.#isBurst) outflow.wait();
  }

  /** Connects, or sends by the spool, or refuses; what waits then is for the next call. */
  async #findWay(): Promise<void> {
    while (!this.#room.isEmpty && this.#closed === undefined && this.#outflow === undefined) {
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
    const { user, uid, address } = this.#target;
    this.#host.requireNotBarred("pipes", user);
    const box = this.#host.openDirectoryOf("pipes", user, uid);
    if (box === undefined) return pause(LOOK_MS, this.#closing.signal);
    let fifo: OfferedFifo;
    try {
      fifo = await OfferedFifo.make(this.#host, box);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EACCES") throw await this.#host.noAccess(error);
      throw this.#host.refusedByKernel(error, "open a pipe to", address);
    }
    // Whoever chose to fail, or to use the spool, waits only for a receiver that runs.
    const isOver = () => this.#room.isEmpty || (this.#fallback !== "wait" && !this.#isServed);
    await fifo.untilTakenUp(isOver, this.#closing.signal);
    if (!fifo.isTakenUp || this.#closed !== undefined) return void fifo.withdraw();
    this.stats.connections++;
    this.#outflow = new Outflow(this.#host, fifo.accept(), {
      onWritten: () => this.#written(),
      onBroken: () => this.#break(),
    });
    this.#flush();
  }

  async #spoolNext(): Promise<void> {
    const [letter] = this.#room.take(0);
    if (letter === undefined) return;
    try {
      this.#inFlight = [letter];
      await this.#detour.send(letter.text, this.#closing.signal);
      this.stats.spooled++;
      letter.resolve?.({ id: letter.id });
    } catch (error) {
      if (letter.reject === undefined) this.#lost++;
      letter.reject?.(error);
    } finally {
      this.#inFlight = [];
    }
  }

  #written(): void {
    const letters = this.#inFlight;
    this.#inFlight = [];
    this.#settle(letters);
    this.#flush();
  }

  /** Nobody reads any more: what was not read goes first on the next way, and then what was under way. */
  #break(): void {
    const outflow = this.#outflow;
    if (outflow === undefined) return;
    this.#outflow = undefined;
    const unread = outflow.unread();
    outflow.close();
    this.stats.sent -= unread.length;
    const again = unread.map((text): Letter => ({ id: "", text, resolve: undefined, reject: undefined }));
    this.#room.putBack([...again, ...this.#inFlight]);
    this.#inFlight = [];
    if (!this.#room.isEmpty) this.#drive();
  }

  /** A receiver that goes while nothing is sent is noticed from time to time. */
  #look(): void {
    if (this.#outflow?.isReady === true && !this.#outflow.hasReader()) this.#break();
  }

  #settle(letters: readonly Letter[]): void {
    for (const { id, text, resolve } of letters) {
      this.#countSent(text);
      resolve?.({ id });
    }
  }

  #countSent(text: string): void {
    this.stats.sent++;
    this.stats.bytes += text.length;
    this.#counters.messages++;
    this.#counters.bytes += text.length;
  }

  #refuse(errorOf: () => unknown): void {
    const letters = this.#room.take(Infinity);
    for (const { reject } of letters) if (reject === undefined) this.#lost++;
    for (const { reject } of letters) reject?.(errorOf());
    this.#tellIdle();
  }

  get #isIdle(): boolean {
    return this.#room.isEmpty && this.#inFlight.length === 0 && this.#driving === undefined;
  }

  #tellIdle(): void {
    if (this.#isIdle && this.#onIdle.length > 0) for (const wake of this.#onIdle.splice(0)) wake();
  }

  async #close(): Promise<void> {
    this.#isDraining = true;
    this.#closing.abort(this.#closedError());
    for (const { reject } of this.#inFlight.splice(0)) reject?.(this.#closedError());
    this.#refuse(() => this.#closedError());
    this.#outflow?.close();
    this.#outflow = undefined;
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

const SETTLED = Promise.resolve();

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

/** Whoever awaits one message after another that all find room would never give the event loop a turn. */
function nextTurn(sent: Sent): Promise<Sent> {
  return new Promise((resolve) => setImmediate(resolve, sent));
}
