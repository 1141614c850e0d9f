import type { ChannelHost, ChannelRefusal } from "@agentbus/core";
import { DropBox, type OpenedFifo } from "./drop-box.js";
import { IncomingPipe, type IncomingPipeEvents } from "./incoming-pipe.js";

/** Of the time, looking for pipes in a box that is full of them may take one part in so many. */
const LOOK_SHARE = 20;

type Watcher = Awaited<ReturnType<ChannelHost["watchDirectory"]>>;

/**
 * Opens the pipes that come into the drop box: at once when an event tells of one, and with the look that is taken now and then, for what no event
 * told of. So many of one account are open at a time; the others wait in the drop box, and their senders with them.
 */
export class Intake {
  readonly #host: ChannelHost;
  readonly #box: DropBox;
  readonly #maxPerSender: number;
  readonly #events: Pick<IncomingPipeEvents, "onReady">;
  readonly #open = new Map<string, IncomingPipe>();
  readonly #perSender = new Map<number, number>();
  /** Being looked at: the account database is asked for their owners. */
  readonly #opening = new Set<string>();
  #watcher: Watcher | undefined;
  #stopLooking: (() => void) | undefined;
  #isClosed = false;
  #isLooking = false;
  #isLookDue = false;
  /** By performance.now(). */
  #lookAgainAt = 0;

  constructor(
    host: ChannelHost,
    maxPerSender: number,
    onRefused: (refusal: ChannelRefusal) => void,
    events: Pick<IncomingPipeEvents, "onReady">,
  ) {
    this.#host = host;
    this.#box = new DropBox(host, onRefused);
    this.#maxPerSender = maxPerSender;
    this.#events = events;
  }

  get pipes(): Iterable<IncomingPipe> {
    return this.#open.values();
  }

  /** Every pipe that is put in from now on is found, and so are those that are there. @throws BusError ERR_ACCESS, ERR_TOO_MANY_FILES */
  async start(): Promise<void> {
    this.#watcher = await this.#host.watchDirectory(this.#box.path, {
      onChange: (name) => (name === undefined ? this.#lookSoon() : this.#examine(name)),
    });
    if (this.#isClosed) return this.#watcher.close();
    this.#stopLooking = this.#host.everyNowAndThen(async () => this.#look());
    void this.#look();
  }

  /** Takes no further pipes. */
  stop(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    this.#stopLooking?.();
  }

  /** A pipe that is done with makes room for another of its sender. */
  forget(pipe: IncomingPipe): void {
    if (!this.#open.delete(pipe.name)) return;
    const { uid } = pipe.sender;
    const count = (this.#perSender.get(uid) ?? 1) - 1;
    if (count === 0) this.#perSender.delete(uid);
    else this.#perSender.set(uid, count);
    pipe.close();
    if (count === this.#maxPerSender - 1) this.#lookSoon();
  }

  /** Events may ask for it again and again. */
  #lookSoon(): void {
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    const look = () => {
      this.#isLookDue = false;
      if (this.#isLooking) this.#lookSoon();
      else void this.#look();
    };
    const waitMs = this.#lookAgainAt - performance.now();
    if (waitMs <= 0 && !this.#isLooking) setImmediate(look);
    else setTimeout(look, Math.max(1, waitMs)).unref();
  }

  /** However many a neighbour has put in, others' messages are received meanwhile. Never rejects. */
  async #look(): Promise<void> {
    if (this.#isClosed || this.#isLooking) return;
    this.#isLooking = true;
    const began = performance.now();
    let portions = 0;
    try {
      for (const pipe of this.#open.values()) this.#lookAt(pipe);
      for (const names of this.#box.names()) {
        if (portions++ > 0) await nextTurn();
        if (this.#isClosed) return;
        for (const name of names) this.#examine(name);
      }
    } catch (error) {
      process.emitWarning(this.#host.refusedByKernel(error, "look into", this.#box.path).message, "AgentbusWarning");
    } finally {
      this.#isLooking = false;
      if (portions > 1) this.#lookAgainAt = performance.now() + LOOK_SHARE * (performance.now() - began);
    }
  }

  /** A FIFO whose sender has not come yet, or will not. */
  #lookAt(pipe: IncomingPipe): void {
    if (pipe.isAlive) return;
    pipe.probe();
    if (pipe.isAlive || !this.#box.isAbandoned(pipe.name)) return;
    this.#box.remove(pipe.name);
    this.forget(pipe);
  }

  #examine(name: string): void {
    if (this.#isClosed || this.#open.has(name) || this.#opening.has(name)) return;
    const opened = this.#box.open(name, (uid) => this.#hasRoom(uid));
    if (opened === undefined) return;
    if (!(opened instanceof Promise)) return this.#begin(name, opened);
    this.#opening.add(name);
    void opened.then((fifo) => {
      this.#opening.delete(name);
      if (fifo !== undefined) this.#begin(name, fifo);
    });
  }

  #hasRoom(uid: number): boolean {
    return (this.#perSender.get(uid) ?? 0) < this.#maxPerSender;
  }

  #begin(name: string, { fd, sender }: OpenedFifo): void {
    if (this.#isClosed || !this.#hasRoom(sender.uid)) return this.#host.fileSystem.close(fd);
    this.#perSender.set(sender.uid, (this.#perSender.get(sender.uid) ?? 0) + 1);
    const pipe = new IncomingPipe(this.#host, fd, name, sender, {
      onReady: this.#events.onReady,
      onAlive: () => this.#box.remove(name),
    });
    this.#open.set(name, pipe);
    pipe.probe();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
