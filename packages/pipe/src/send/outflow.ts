import fs from "node:fs";
import { Socket } from "node:net";
import type { ChannelHost } from "@agentbus/core";
import type { WritingEnds } from "./offered-fifo.js";

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
/** Texts up to this many characters are encoded in one place. */
const SCRATCH_CHARACTERS = 64 * 1024;
const BYTES_OF_CHARACTER = 3;
const SCRATCH = Buffer.allocUnsafeSlow(SCRATCH_CHARACTERS * BYTES_OF_CHARACTER);
/** What a pipe holds unless somebody changes that (pipe(7)), in bytes; a receiver cannot have left more than that unread. */
const CAPACITY = 64 * 1024;
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
 * Texts that may be unread yet are kept, no more than a pipe holds: if the receiver goes, whole frames that it has not taken out are sent again.
 */
export class Outflow {
  readonly #host: ChannelHost;
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #events: OutflowEvents;
  /** Frames in the pipe, the oldest first from `#kept` on. */
  #recent: string[] = [];
  #kept = 0;
  #keptCharacters = 0;
  /** Of the frame that is under way. */
  #rest: Buffer | undefined;
  #frame = "";
  #isWaiting = false;
  #isBroken = false;

  /** @param ends non-blocking; this closes them */
  constructor(host: ChannelHost, { writeFd, waitFd }: WritingEnds, events: OutflowEvents) {
    this.#host = host;
    this.#fd = writeFd;
    this.#events = events;
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
   * `retry()` and `wait()` get it in.
   * @param frames whole lines @param text all of them @returns how many are in the pipe
   */
  push(frames: readonly string[], text: string): number {
    const isShort = text.length <= SCRATCH_CHARACTERS;
    const buffer = isShort ? SCRATCH : Buffer.from(text);
    const length = isShort ? SCRATCH.write(text) : buffer.length;
    const written = this.#write(buffer, length);
    if (written === length) {
      for (const frame of frames) this.#keep(frame);
      return frames.length;
    }
    if (this.#isBroken) return 0;
    return this.#pushRest(frames, buffer, written);
  }

  /** Only one frame is ever under way: so it is known of each whether it is in the pipe, whenever that breaks. */
  #pushRest(frames: readonly string[], buffer: Buffer, written: number): number {
    let [count, end] = [0, 0];
    for (;;) {
      end += Buffer.byteLength(frames[count] as string);
      if (end > written) break;
      this.#keep(frames[count++] as string);
    }
    // A copy: the next frame may be encoded in the same place before this one is written.
    this.#rest = Buffer.from(buffer.subarray(written, end));
    this.#frame = frames[count] as string;
    return count;
  }

  /** Tries again to write what is left of the frame that is under way. @returns whether it is in the pipe now; then `onWritten` is not called */
  retry(): boolean {
    if (this.#rest === undefined || this.#isWaiting || this.#isBroken) return false;
    const written = this.#write(this.#rest, this.#rest.length);
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
    this.#keep(this.#frame);
  }

  /**
   * The frames that were in the pipe when its receiver went, and that it had not read to their ends: they can be sent again, and nobody has
   * them twice. To be asked once it is broken. Where a pipe cannot be opened again by its descriptor, as on macOS, nobody can tell: none.
   */
  unread(): string[] {
    const ends = this.#unreadEnds();
    return ends === 0 ? [] : this.#recent.slice(this.#kept).slice(-ends);
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

  #write(buffer: Buffer, length: number): number {
    try {
      return this.#host.fileSystem.write(this.#fd, buffer, 0, length, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") this.#isBroken = true;
      return 0;
    }
  }

  #keep(frame: string): void {
    this.#recent.push(frame);
    this.#keptCharacters += frame.length;
    // A character is a byte at the least.
    for (;;) {
      const oldest = this.#recent[this.#kept] as string;
      if (this.#keptCharacters - oldest.length < CAPACITY) break;
      this.#keptCharacters -= oldest.length;
      this.#recent[this.#kept++] = "";
    }
    if (this.#kept < 1_024) return;
    this.#recent = this.#recent.slice(this.#kept);
    this.#kept = 0;
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
