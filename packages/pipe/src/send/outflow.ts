import fs from "node:fs";
import { Socket } from "node:net";
import type { ChannelHost, EnvelopeWriter } from "@agentbus/core";
import type { WritingEnds } from "./offered-fifo.js";
import { RecentFrames } from "./recent-frames.js";

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
/** Texts are joined up to so many characters. */
const MAX_PORTION = 64 * 1024;
const SCRATCH = Buffer.allocUnsafeSlow(64 * 1024);
const NEWLINE = 0x0a;

export interface OutflowEvents {
  /** The frame that was under way is in the pipe. */
  readonly onWritten: () => void;
  /** Nobody reads any more; noticed while a frame was under way. */
  readonly onBroken: () => void;
}

/**
 * The writing end of a pipe that somebody reads.
 *
 * A frame is written at once as long as there is room: write(2) on a non-blocking descriptor never waits, and takes less time than the
 * stream of Node around it. The rest of what finds no room goes through Node's event loop (epoll, kqueue), so no thread is ever held.
 *
 * What may be unread yet is kept, hardly more than a pipe holds: if the receiver goes, whole frames that it has not taken out are sent again.
 */
export class Outflow {
  /** So many characters are worth a write(2) of their own: a part of what the pipe holds, so that there is room for it before it runs empty. */
  readonly portion: number;
  readonly #host: ChannelHost;
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #events: OutflowEvents;
  readonly #recent: RecentFrames;
  /** Of the frame that is under way: what is not in the pipe yet. It lies where it was encoded or composed; others are composed behind it. */
  #rest: Buffer | undefined;
  #frameBytes = 0;
  /** See `takeCount()`, in bytes. */
  #sent = 0;
  #isWaiting = false;
  #isBroken = false;

  /** @param ends non-blocking; this closes them */
  constructor(host: ChannelHost, { writeFd, waitFd, capacity }: WritingEnds, events: OutflowEvents) {
    this.portion = Math.min(capacity / 4, MAX_PORTION);
    this.#host = host;
    this.#fd = writeFd;
    this.#events = events;
    this.#recent = new RecentFrames(capacity);
    this.#socket = new Socket({ fd: waitFd, readable: false, writable: true });
    this.#socket.on("error", () => this.#break());
    this.#socket.on("close", () => this.#break());
  }

  /** Whether `push` may be called. */
  get isReady(): boolean {
    return this.#rest === undefined && !this.#isBroken;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /**
   * Puts frames into the pipe, as many as find room. The first one that does not is under way then, unless the pipe is broken:
   * `retry()` and `wait()` get it in. Only when nothing is left that was composed.
   * @param text of whole frames @param count of them @returns how many are in the pipe; the others are not here any more
   */
  push(text: string, count: number): number {
    this.#recent.encode(text);
    const pushed = this.#push(count);
    if (pushed < count) this.#recent.forgetAllBut(this.#frameBytes);
    return pushed;
  }

  /**
   * Writes an envelope where it goes into the pipe from, behind the frame that is under way and those that were composed before.
   * @returns as `EnvelopeWriter.writeInto`
   */
  compose(writer: EnvelopeWriter, data: unknown): string | undefined {
    return writer.writeInto(this.#recent.room, data);
  }

  /** Whether it may be too short for the next few. */
  get isShortOfRoom(): boolean {
    return this.#recent.isShort;
  }

  /** Makes room for what is composed; to be called when all that was before is in the pipe. */
  makeRoom(): void {
    this.#recent.begin();
  }

  /** Puts into the pipe what was composed, so many frames, as `push()` does. @returns how many are in it; the others stay composed */
  pushComposed(count: number): number {
    return this.#push(count);
  }

  /** How much is encoded or composed, and not in the pipe. */
  get unsentBytes(): number {
    return this.#recent.unsentBytes;
  }

  /** The frames that are encoded or composed, and not in the pipe: first the one that is under way, if any is. */
  unsent(): string[] {
    const { bytes, start, end } = this.#recent.unsent;
    return start === end ? [] : bytes.toString("utf8", start, end).split(/(?<=\n)/);
  }

  /** How many bytes of whole frames went into the pipe since this was asked last. */
  takeCount(): number {
    const sent = this.#sent;
    this.#sent = 0;
    return sent;
  }

  #push(count: number): number {
    const { bytes, start, end } = this.#recent.unsent;
    this.#frameBytes = 0;
    const written = this.#write(bytes, start, end - start);
    if (start + written < end) return this.#isBroken ? 0 : this.#pushPart(bytes, start, start + written);
    this.#keep(written);
    return count;
  }

  /**
   * Only one frame is ever under way: so it is known of each whether it is in the pipe, whenever that breaks.
   * @param start of the first frame @param writtenEnd behind what is in the pipe
   */
  #pushPart(bytes: Buffer, start: number, writtenEnd: number): number {
    let count = 0;
    let frameAt = start;
    let end = bytes.indexOf(NEWLINE, frameAt) + 1;
    for (; end <= writtenEnd; end = bytes.indexOf(NEWLINE, frameAt) + 1) {
      frameAt = end;
      count++;
    }
    this.#keep(frameAt - start);
    this.#frameBytes = end - frameAt;
    this.#rest = bytes.subarray(writtenEnd, end);
    return count;
  }

  #keep(length: number): void {
    this.#recent.keep(length);
    this.#sent += length;
  }

  /** Tries again to write what is left of the frame that is under way. @returns whether it is in the pipe now; then `onWritten` is not called */
  retry(): boolean {
    if (this.#rest === undefined || this.#isWaiting || this.#isBroken) return false;
    const written = this.#write(this.#rest, 0, this.#rest.length);
    if (written < this.#rest.length) {
      this.#rest = this.#rest.subarray(written);
      return false;
    }
    this.#end();
    return true;
  }

  /** Has the event loop write what is left of the frame that is under way, when there is room. */
  wait(): void {
    if (this.#rest === undefined || this.#isWaiting || this.#isBroken) return;
    this.#isWaiting = true;
    this.#socket.write(this.#rest, (error) => {
      if (error instanceof Error || this.#isBroken) return;
      this.#isWaiting = false;
      this.#end();
      this.#events.onWritten();
    });
  }

  #end(): void {
    this.#rest = undefined;
    this.#keep(this.#frameBytes);
  }

  /**
   * The frames that were in the pipe when its receiver went, and that it had not read to their ends: they can be sent again, and nobody has
   * them twice. To be asked once it is broken. Where a pipe cannot be opened again by its descriptor, as on macOS, nobody can tell: none.
   */
  unread(): string[] {
    return this.#recent.last(this.#unreadEnds());
  }

  /** Whether somebody reads. Where that cannot be asked, the next write tells. */
  hasReader(): boolean {
    if (process.platform !== "linux") return true;
    try {
      fs.closeSync(fs.openSync(`/proc/self/fd/${this.#fd}`, O_WRONLY | O_NONBLOCK));
      return true;
    } catch (error) {
      // fifo(7): no process has it open for reading.
      return (error as NodeJS.ErrnoException).code !== "ENXIO";
    }
  }

  /** Closes the end; once. What is in the pipe stays there for its receiver. */
  close(): void {
    this.#isBroken = true;
    this.#socket.destroy();
    this.#host.fileSystem.close(this.#fd);
  }

  #write(bytes: Buffer, start: number, length: number): number {
    try {
      return this.#host.fileSystem.write(this.#fd, bytes, start, length, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") this.#isBroken = true;
      return 0;
    }
  }

  /** A frame ends with the only newline in it. */
  #unreadEnds(): number {
    if (process.platform !== "linux") return 0;
    let fd: number;
    try {
      fd = fs.openSync(`/proc/self/fd/${this.#fd}`, O_RDONLY | O_NONBLOCK);
    } catch {
      return 0;
    }
    let ends = 0;
    try {
      for (let length = 1; length > 0;) {
        length = fs.readSync(fd, SCRATCH);
        for (let i = 0; i < length; i++) if (SCRATCH[i] === NEWLINE) ends++;
      }
    } catch {
      // EAGAIN: that was all.
    } finally {
      fs.closeSync(fd);
    }
    return ends;
  }

  #break(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#events.onBroken();
  }
}
