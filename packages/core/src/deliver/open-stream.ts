import fs from "node:fs";
import { DEFAULT_PRIORITY, userOfSource, type Envelope } from "../envelope.js";
import { ULID_LENGTH, ulidOf } from "../message-name.js";
import type { Claim } from "../settle/claim.js";
import type { Sender, Verdict } from "./judge.js";
import type { LoadedEnvelope } from "./load.js";
import type { PendingFile } from "./pending.js";
import type { LinePattern } from "./plain-lines.js";
import type { StreamReader } from "./stream-reader.js";
import type { Step } from "./judge-file.js";

/** A claimed file that is read while it grows. */
export interface FollowedStream {
  readonly claim: Claim;
  readonly pending: PendingFile;
  readonly reader: StreamReader;
  /** The owner of the inode. */
  readonly sender: Sender;
}

/** Where a message stands among the files. */
interface Place {
  readonly priority: number;
  readonly ulid: string;
}

/** A message of an open stream. */
export interface Line extends Place {
  readonly step: Step | Promise<Step>;
}

/** Made by a constructor, so that all have the same shape: V8 drops what it compiled for one when it meets another. */
export class OpenStream implements FollowedStream {
  readonly claim: Claim;
  readonly pending: PendingFile;
  readonly reader: StreamReader;
  readonly sender: Sender;
  /** undefined where there is nothing to watch for. */
  readonly #watcher: fs.FSWatcher | undefined;
  /** Read and not yet handed on, the last first. */
  lines: Line[] = [];
  /** Of the last line. */
  #place: Place;
  /** There may be more to read. */
  hasGrown = true;
  /** It has grown since the last look but one. */
  isGrowing = true;
  /** When its seal stood in `new/`, by performance.now(). */
  sealedAt: number | undefined = undefined;
  /** What a line went by that was delivered: whatever else goes by it may be, as far as its sender, topic and address decide. */
  passed: LinePattern | undefined = undefined;

  private constructor({ claim, pending, reader, sender }: FollowedStream, watcher: fs.FSWatcher | undefined) {
    this.claim = claim;
    this.pending = pending;
    this.reader = reader;
    this.sender = sender;
    this.#watcher = watcher;
    this.#place = placeOf(pending.file);
  }

  /** @param onGrowth called when it may have grown @returns undefined when its growth cannot be watched @throws the system's error */
  static open(followed: FollowedStream, onGrowth: (stream: OpenStream) => void): OpenStream | undefined {
    const willGrow = !followed.reader.willNotGrow();
    const watcher = willGrow ? watch(followed.claim.path) : undefined;
    if (willGrow && watcher === undefined) return undefined;
    const stream = new OpenStream(followed, watcher);
    watcher?.on("change", () => {
      stream.hasGrown = true;
      onGrowth(stream);
    });
    // Without the watch, the look every now and then finds what is added.
    watcher?.on("error", () => undefined);
    return stream;
  }

  /** Remembers what a line was judged to be, if that holds for all that are like it. */
  noteVerdict({ value, isFit }: Pick<LoadedEnvelope, "value" | "isFit">, verdict: Verdict): void {
    const { pattern } = this.reader;
    if (!isFit || verdict.kind !== "deliver" || pattern === this.passed) return;
    // A line that was read together with others may go by another pattern than the last.
    const { source, topic, to } = value as Envelope;
    const isLikeIt = source === pattern.source && topic === pattern.topic && to === pattern.to;
    // Whether an account may speak by another name is asked each time: that name may be taken away.
    if (isLikeIt && userOfSource(source) === this.sender.user) this.passed = pattern;
  }

  /** Reads on behind a line that was peeked. @param bytes of it */
  pass(id: string, bytes: number): void {
    this.isGrowing = true;
    const place = { priority: DEFAULT_PRIORITY, ulid: id };
    if (isBefore(this.#place, place)) this.#place = place;
    this.reader.skip(bytes);
  }

  /** Gives a message that was read its place behind those before. @param value the envelope, not judged */
  nextLine(value: unknown, step: Step | Promise<Step>): Line {
    const line = lineAt(this.#place, value, step);
    this.#place = line;
    return line;
  }

  close(): void {
    this.#watcher?.close();
    this.reader.close();
  }
}

function placeOf(file: string): Place {
  return { priority: Number(file[0]), ulid: ulidOf(file) };
}

/** What the name of a file at this place begins with. */
export function nameOf({ priority, ulid }: Place): string {
  return `${priority}-${ulid}`;
}

export function isBefore(a: Place, b: Place): boolean {
  return a.priority < b.priority || (a.priority === b.priority && a.ulid < b.ulid);
}

/**
 * A message stands at its own priority and its id, which it got when it was sent, whatever the file is called (place-in-order.ts); but
 * never before the one in front of it. What only looks like a ULID gets behind others at the worst.
 */
function lineAt(before: Place, value: unknown, step: Step | Promise<Step>): Line {
  const { id, priority = DEFAULT_PRIORITY } = (value ?? {}) as { id?: unknown; priority?: unknown };
  if (typeof id !== "string" || id.length !== ULID_LENGTH || typeof priority !== "number")
    return { step, priority: before.priority, ulid: before.ulid };
  const line = { step, priority, ulid: id };
  return isBefore(before, line) ? line : { step, priority: before.priority, ulid: before.ulid };
}

/** Watches the inode, so that it does not matter which of its links is written through. undefined where that cannot be. */
function watch(path: string): fs.FSWatcher | undefined {
  try {
    return fs.watch(path, { persistent: false });
  } catch {
    return undefined;
  }
}
