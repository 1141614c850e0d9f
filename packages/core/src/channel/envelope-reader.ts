import { Judge, type Sender, type Verdict } from "../deliver/judge.js";
import { envelopeAt } from "../deliver/load.js";
import { PlainLines } from "../deliver/plain-lines.js";
import type { Spool } from "../spool.js";
import type { EnvelopeReader } from "./host.js";

/** Reads what one sender puts into a channel to this account, by the rules of its inbox. */
export class SenderEnvelopeReader implements EnvelopeReader {
  readonly #sender: Sender;
  readonly #judge: Judge;
  readonly #plain = new PlainLines();

  constructor(spool: Spool, sender: Sender) {
    this.#sender = sender;
    const address = `@${spool.user}`;
    this.#judge = new Judge(spool, { patterns: [], address, createdAt: new Date().toISOString() });
  }

  read(text: string, start: number, end: number): Verdict | Promise<Verdict> | undefined {
    const loaded = envelopeAt(text, start, end, 0, this.#plain);
    return loaded === undefined ? undefined : this.#judge.judge(this.#sender, loaded);
  }
}
