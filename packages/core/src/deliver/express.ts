import type { Spool } from "../spool.js";
import type { InWork } from "./in-work.js";
import type { OpenStream } from "./open-stream.js";
import type { SeenIds } from "./seen.js";
import { peekedText } from "./stream-reader.js";
import type { Taken } from "./take.js";

/**
 * The short way of the usual message: the one line by which a stream has just grown, and which differs from one that was delivered in
 * nothing but id, time and data.
 *
 * It does what the long way does (stream-reader.ts, judge.ts, take.ts), and asks nothing again that was found out about the line
 * before: who wrote it, whether they may say so, and whether it is for this subscription. Between two messages a processor forgets
 * most of a program, so what counts here is how much of it is touched before the handler runs. What nobody asks for until then is entered
 * after it: `enter()` comes before the message is settled or put back, and before anything else is read.
 */
export class Express {
  readonly #spool: Spool;
  readonly #seen: SeenIds;
  readonly #inWork: InWork;
  /** Taken, and not entered yet. */
  #taken: Taken | undefined;
  #stream: OpenStream | undefined;
  /** Of it; the handler may do to the envelope what it likes. */
  #id = "";
  #bytes = 0;

  constructor(spool: Spool, seen: SeenIds, inWork: InWork) {
    this.#spool = spool;
    this.#seen = seen;
    this.#inWork = inWork;
  }

  /**
   * @param stream of which nothing lines up
   * @returns undefined when it has to go the long way; then nothing has happened
   * @throws the system's error
   */
  take(stream: OpenStream): Taken | undefined {
    const { claim, reader, sender, passed } = stream;
    if (passed === undefined || passed !== reader.pattern || this.#mayHaveSchema(passed.topic)) return undefined;
    const line = reader.peekPlain();
    if (line === undefined) return undefined;
    const { envelope, bytes } = line;
    const { id } = envelope;
    // Any other may be a repeat.
    if (!this.#seen.isLatest(sender.uid, id)) return undefined;
    stream.hasGrown = false;
    const index = reader.count;
    const taken = { claim, index, attempt: 1, isSuspect: false, envelope, raw: "", sender, slot: 0 };
    this.#taken = taken;
    this.#stream = stream;
    this.#id = id;
    this.#bytes = bytes;
    return taken;
  }

  /** Enters what was taken last wherever it is kept account of, if that has not been done. */
  enter(): void {
    const taken = this.#taken;
    const stream = this.#stream;
    if (taken === undefined || stream === undefined) return;
    this.#taken = undefined;
    this.#stream = undefined;
    // No other line has been peeked since: that begins with an event, and the handler that was called has been running.
    taken.raw = peekedText(this.#bytes);
    stream.pass(this.#id, this.#bytes);
    stream.claim.addBegun(taken.index);
    this.#inWork.add(taken);
    // From now on another copy is a repeat.
    this.#seen.add(stream.sender.uid, this.#id);
  }

  #mayHaveSchema(topic: string): boolean {
    try {
      return this.#spool.schemas.knows(topic);
    } catch {
      return true;
    }
  }
}
