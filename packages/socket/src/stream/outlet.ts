import { setMaxListeners } from "node:events";
import { BusError } from "@agentbus/core";
import type { Connection } from "../wire/connection.js";
import { frame, Kind } from "../wire/frames.js";
import type { Room } from "./room.js";

/** What may wait that nobody awaits, in characters. One message may always. */
const MAX_WAITING = 16 * 1024 * 1024;

interface Waiting {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Where messages by themselves leave, in the order in which they were handed in, each as soon as the other end has room for it. It can be moved to another
 * connection: those that wait go there.
 */
export class Outlet {
  readonly #waiting: Waiting[] = [];
  #waitingLength = 0;
  readonly #onSent: (bytes: number) => void;
  #connection: Connection | undefined;
  #room: Room | undefined;
  #onEmpty: (() => void)[] = [];

  constructor(onSent: (bytes: number) => void) {
    this.#onSent = onSent;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  attach(connection: Connection, room: Room): void {
    this.#connection = connection;
    this.#room = room;
    this.flush();
  }

  /** What is sent from now on waits. */
  detach(): void {
    this.#connection = undefined;
    this.#room = undefined;
  }

  /** @returns whether there was room for it */
  trySend(text: string): boolean {
    const { isEmpty } = this;
    if (!isEmpty || this.#room?.isThere !== true || this.#connection?.isCongested !== false) return false;
    this.#write(text);
    return true;
  }

  /** Resolves when it is on its way. @throws BusError ERR_BACKLOG; the signal's reason; what it is failed with */
  send(text: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      if (this.trySend(text)) return resolve();
      if (!this.isEmpty && this.#waitingLength + text.length > MAX_WAITING) return reject(backlog());
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.#waitingLength -= text.length;
        reject(signal?.reason as Error);
        this.#lookIfEmpty();
      };
      const forget = () => signal?.removeEventListener("abort", onAbort);
      const waiting: Waiting = {
        text,
        resolve: () => (forget(), resolve()),
        reject: (error) => (forget(), reject(error)),
      };
      // One signal for a thousand messages is no leak: each stops listening when it is sent.
      if (signal !== undefined) setMaxListeners(0, signal);
      signal?.addEventListener("abort", onAbort);
      this.#waiting.push(waiting);
      this.#waitingLength += text.length;
      if (this.#connection?.isCongested === true) void this.#connection.whenClear().then(() => this.flush());
    });
  }

  /** Sends what there is room for; to be called when there is more. */
  flush(): void {
    while (this.#waiting.length > 0 && this.#room?.isThere === true) {
      if (this.#connection?.isCongested !== false) {
        void this.#connection?.whenClear().then(() => this.flush());
        return;
      }
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingLength -= next.text.length;
      this.#write(next.text);
      next.resolve();
    }
    this.#lookIfEmpty();
  }

  failAll(error: Error): void {
    this.#waitingLength = 0;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
    this.#lookIfEmpty();
  }

  /** Resolves when all that was handed in is on its way, or failed. */
  whenEmpty(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  #lookIfEmpty(): void {
    if (this.isEmpty) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #write(envelope: string): void {
    const text = frame(Kind.item, 0, envelope);
    const bytes = Buffer.byteLength(envelope);
    this.#room?.take(bytes);
    this.#connection?.send(text);
    this.#onSent(bytes);
  }
}

/** Also for calls. */
export function backlog(): BusError {
  return new BusError("ERR_BACKLOG", "too much waits for the other end already, and nobody awaits it", {
    fix: "await each send() or call(), or some of them at a time",
  });
}
