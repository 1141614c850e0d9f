import type { Envelope } from "../envelope.js";
import { validatePrivateRecord } from "../generated/validators.js";
import type { Claim } from "../settle/claim.js";
import { isOwnFile } from "../settle/claim-names.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { allReady, whenReady } from "../when-ready.js";
import { Judge, type Sender, type Verdict } from "./judge.js";
import { isUnfit, type LoadedEnvelope, type LoadedFile, type UnfitLoad } from "./load.js";
import type { FollowedStream } from "./open-stream.js";
import type { PendingFile } from "./pending.js";
import { pushedAhead } from "./place-in-order.js";

/** What is to be done with one envelope of a claimed file. */
export interface Step {
  readonly claim: Claim;
  readonly pending: PendingFile;
  readonly index: number;
  readonly attempt: number;
  readonly isSuspect: boolean;
  readonly raw: string;
  readonly verdict: Verdict;
}

/** Decides what is to be done with a claimed file, and with each envelope in it, for one subscription. */
export class FileJudge {
  readonly #spool: Spool;
  readonly #isQueue: boolean;
  readonly #judge: Judge;

  constructor(spool: Spool, { record }: Pick<SubscriptionDirectories, "record">) {
    this.#spool = spool;
    this.#isQueue = record.kind === "queue";
    this.#judge = new Judge(spool, record);
  }

  /** What is wrong with a file as a whole, whatever each of its envelopes says; undefined when nothing is. */
  findUnfit(claim: Claim, load: LoadedFile | UnfitLoad, pending: PendingFile): UnfitLoad | undefined {
    if (isUnfit(load)) return load;
    if (isOwnFile(claim.file)) return undefined;
    // Its members settle files and not parts of them; and notes on the parts could be anybody's, where anybody may put files.
    if (this.#isQueue && load.envelopes.length > 1) {
      const facts = { uid: load.uid, bytes: undefined, isRegular: true };
      return { ...facts, reason: "invalid-envelope", detail: "a file in a queue holds one envelope" };
    }
    return pushedAhead(pending.file, load);
  }

  /**
   * The envelopes of a file that are not settled yet.
   * @returns undefined while nobody can tell whose the file is: then it is to be looked at again
   */
  judge(claim: Claim, load: LoadedFile, pending: PendingFile): Step[] | undefined | Promise<Step[] | undefined> {
    return whenReady(claim.expect(load.envelopes.length), () => {
      if (isOwnFile(claim.file)) {
        const [loaded] = load.envelopes.filter(({ index }) => claim.isOpen(index));
        return loaded === undefined ? [] : allReady([this.#judgeOwn(claim, pending, loaded, load.uid)]);
      }
      return whenReady(
        this.#judge.senderOf(load.uid),
        (sender) => sender && this.#judgeFrom(sender, claim, pending, load),
      );
    });
  }

  /** One envelope of a stream. */
  judgeLine({ claim, pending, reader, sender }: FollowedStream, loaded: LoadedEnvelope): Step | Promise<Step> {
    const verdict = this.#judge.judge(sender, loaded, reader.writtenMs);
    return stepOf(claim, pending, loaded.index, loaded.raw, verdict);
  }

  #judgeFrom(sender: Sender, claim: Claim, pending: PendingFile, load: LoadedFile): Step[] | Promise<Step[]> {
    const steps: (Step | Promise<Step>)[] = [];
    for (const loaded of load.envelopes) {
      const { index, raw } = loaded;
      if (!claim.isOpen(index)) continue;
      const verdict = this.#judge.judge(sender, loaded, load.writtenMs);
      steps.push(stepOf(claim, pending, index, raw, verdict));
    }
    return allReady(steps);
  }

  /** A private record, which names the sender. Its consumer may have died before it was judged, so it is judged like any other. */
  #judgeOwn(
    claim: Claim,
    pending: PendingFile,
    { index, value, raw }: LoadedEnvelope,
    uid: number,
  ): Step | Promise<Step> {
    if (uid !== this.#spool.uid || !validatePrivateRecord(value)) {
      const sender = { uid, user: this.#spool.accounts.userOf(uid) ?? `uid${uid}` };
      const detail = "it is not a private record of this account";
      return stepOf(claim, pending, index, raw, { kind: "refuse", reason: "invalid-envelope", detail, sender });
    }
    const { sender, envelope } = value as { sender: Sender; envelope: Envelope };
    const line = `${JSON.stringify(envelope)}\n`;
    const verdict = this.#judge.judge(sender, { raw: line, value: envelope, isFit: false });
    return stepOf(claim, pending, index, line, verdict);
  }
}

function stepOf(
  claim: Claim,
  pending: PendingFile,
  index: number,
  raw: string,
  verdict: Verdict | Promise<Verdict>,
): Step | Promise<Step> {
  const attempt = claim.attemptOf(index);
  const isSuspect = claim.isSuspect(index);
  return verdict instanceof Promise
    ? verdict.then((known) => ({ claim, pending, index, attempt, isSuspect, raw, verdict: known }))
    : { claim, pending, index, attempt, isSuspect, raw, verdict };
}
