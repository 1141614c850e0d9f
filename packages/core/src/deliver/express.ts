import type { Spool } from "../spool.js";
import type { InWork } from "./in-work.js";
import type { OpenStream } from "./open-stream.js";
import type { SeenIds } from "./seen.js";
import type { Taken } from "./take.js";

/**
 * The short way of the usual message: the one line by which a stream has just grown, and which differs from one that was delivered in
 * nothing but id, time and data.
 *
 * It does what the long way does (stream-reader.ts, judge.ts, take.ts), and asks nothing again that was found out about the line
 * before: who wrote it, whether they may say so, and whether it is for this subscription. Between two messages a processor forgets
 * most of a program, so what counts here is how much of it is touched.
 */
export class Express {
  readonly #spool: Spool;
  readonly #seen: SeenIds;
  readonly #inWork: InWork;

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
    const { envelope, raw } = line;
    // Any other may be a repeat.
    if (!this.#seen.addLatest(sender.uid, envelope.id)) return undefined;
    const index = stream.pass(line);
    claim.addBegun(index);
    const taken = { claim, index, attempt: 1, isSuspect: false, envelope, raw, sender, slot: 0 };
    this.#inWork.add(taken);
    return taken;
  }

  #mayHaveSchema(topic: string): boolean {
    try {
      return this.#spool.schemas.knows(topic);
    } catch {
      return true;
    }
  }
}
