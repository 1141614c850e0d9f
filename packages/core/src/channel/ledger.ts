import { Directory, ignoreMissing } from "../directory.js";
import { READABLE_FILE_MODE } from "../permissions.js";
import type { Presence } from "../presence.js";
import { writeOwnFile } from "../private-file.js";
import type { Spool } from "../spool.js";

/** One open end of a channel, as `status` shows it to every member. */
export interface ChannelDescription {
  readonly kind: "pipe" | "socket";
  /** What this end does. */
  readonly role: "sender" | "receiver" | "client" | "server";
  /** The account at the other end; null of an end that waits for peers. */
  readonly peer: string | null;
  /** Of a socket, what it serves: "search". */
  readonly name?: string | undefined;
}

/** The figures of one open channel; its owner adds to them as it goes. */
export interface ChannelCounters {
  messages: number;
  bytes: number;
  refused: number;
  close(): void;
}

/** A channel in `run/<user>/<token>.channels.json` (schemas/channels.schema.json). */
export interface ChannelEntry extends ChannelDescription {
  readonly messages: number;
  readonly bytes: number;
  readonly refused: number;
  /** In the last period, which is that of the rescans. */
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  /** RFC 3339. */
  readonly openedAt: string;
}

export interface ChannelsRecord {
  readonly token: string;
  readonly channels: readonly ChannelEntry[];
}

/** As many as the schema allows. */
const MAX_CHANNELS = 1_000;
/** What changes within so many milliseconds is written together. */
const WRITE_AFTER_MS = 50;

class Entry implements ChannelCounters {
  messages = 0;
  bytes = 0;
  refused = 0;
  messagesBefore = 0;
  bytesBefore = 0;
  messagesPerSecond = 0;
  bytesPerSecond = 0;
  readonly openedAt = new Date().toISOString();

  constructor(
    readonly description: ChannelDescription,
    readonly close: () => void,
  ) {}

  /** @returns whether anything has changed since the last call, or had at that one */
  measure(seconds: number): boolean {
    const { messagesPerSecond, bytesPerSecond } = this;
    this.messagesPerSecond = rate(this.messages - this.messagesBefore, seconds);
    this.bytesPerSecond = rate(this.bytes - this.bytesBefore, seconds);
    const hasChanged = this.messages !== this.messagesBefore || this.bytes !== this.bytesBefore;
    this.messagesBefore = this.messages;
    this.bytesBefore = this.bytes;
    return hasChanged || messagesPerSecond !== this.messagesPerSecond || bytesPerSecond !== this.bytesPerSecond;
  }

  toJSON(): ChannelEntry {
    const { messages, bytes, refused, messagesPerSecond, bytesPerSecond, openedAt } = this;
    return { ...this.description, messages, bytes, refused, messagesPerSecond, bytesPerSecond, openedAt };
  }
}

/**
 * Shows the open channels of one bus to whoever asks `status`. Only people look at it, so nothing fails when it cannot be written; it is
 * written when a channel opens or closes, and with the rescans while figures change.
 */
export class ChannelLedger {
  readonly #spool: Spool;
  readonly #presence: () => Promise<Presence>;
  readonly #entries = new Set<Entry>();
  #token: string | undefined;
  #isWriting = false;
  #isClosed = false;
  /** By performance.now(). */
  #measuredAt = performance.now();

  constructor(spool: Spool, presence: () => Promise<Presence>) {
    this.#spool = spool;
    this.#presence = presence;
  }

  open(description: ChannelDescription): ChannelCounters {
    const entry: Entry = new Entry(description, () => {
      if (this.#entries.delete(entry)) this.#writeSoon();
    });
    this.#entries.add(entry);
    this.#writeSoon();
    return entry;
  }

  /** To be called from time to time. */
  async tick(): Promise<void> {
    const now = performance.now();
    const seconds = (now - this.#measuredAt) / 1_000;
    this.#measuredAt = now;
    let hasChanged = false;
    for (const entry of this.#entries) hasChanged = entry.measure(seconds) || hasChanged;
    if (hasChanged) this.#writeSoon();
  }

  async close(): Promise<void> {
    this.#entries.clear();
    this.#isClosed = true;
    if (this.#token !== undefined) this.#remove(this.#token);
  }

  #writeSoon(): void {
    if (this.#isWriting || this.#isClosed) return;
    this.#isWriting = true;
    // A short-lived peer after another is no reason to write all the time.
    setTimeout(() => {
      void this.#presence()
        .then(({ token }) => {
          this.#token = token;
          this.#isWriting = false;
          if (this.#isClosed) return;
          if (this.#entries.size > 0) this.#write(token);
          else this.#remove(token);
        })
        .catch(() => undefined)
        .finally(() => {
          this.#isWriting = false;
        });
    }, WRITE_AFTER_MS).unref();
  }

  #write(token: string): void {
    const record = { token, channels: [...this.#entries].slice(0, MAX_CHANNELS) };
    const run = Directory.open(this.#spool.fileSystem, `${this.#spool.path}/run`, this.#spool.user);
    try {
      writeOwnFile(this.#spool, run, `${token}.channels.json`, `${JSON.stringify(record)}\n`, READABLE_FILE_MODE);
    } finally {
      run.close();
    }
  }

  #remove(token: string): void {
    ignoreMissing(() => this.#spool.fileSystem.unlink(`${this.#spool.runDir}/${token}.channels.json`));
  }
}

function rate(count: number, seconds: number): number {
  return seconds <= 0 ? 0 : Math.round((count / seconds) * 10) / 10;
}
