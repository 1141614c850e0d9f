import { CurrentRecord } from "../current-record.js";
import { describeErrors, userOfSource, type Envelope } from "../envelope.js";
import { validateEnvelope } from "../generated/validators.js";
import type { Spool } from "../spool.js";
import type { SubscriptionRecord } from "../subscription-record.js";
import type { Violations } from "../schema-compiler.js";
import { compilePatterns } from "../topics.js";
import { whenReady } from "../when-ready.js";
import type { LoadedEnvelope } from "./load.js";
import { printable, type RefusalReason } from "./refusal.js";

/** The account that wrote a message, vouched for by the kernel. */
export interface Sender {
  readonly user: string;
  readonly uid: number;
}

export type Verdict =
  | { readonly kind: "deliver"; readonly envelope: Envelope; readonly sender: Sender }
  | { readonly kind: "expired" }
  | { readonly kind: "refuse"; readonly reason: RefusalReason; readonly detail: string; readonly sender: Sender };

/**
 * A message may be this much older than the subscription that it is for, in milliseconds: whole-second time stamps, a publisher
 * without agentbus that writes first and looks for subscriptions then.
 */
const OLDER_BY_MS = 10_000;

const MAX_DETAIL = 1_000;

/** An envelope as it was read; its place in the file does not matter. */
type Loaded = Omit<LoadedEnvelope, "index">;

/** What a subscription, or a channel, takes. */
export type Acceptance = Pick<SubscriptionRecord, "patterns" | "formerPatterns" | "address" | "createdAt">;

/** Decides whether one envelope may be handed to the handler of one subscription. */
export class Judge {
  readonly #spool: Spool;
  readonly #record: Acceptance;
  readonly #matches: (topic: string) => boolean;
  readonly #createdMs: number;
  readonly #spoolRecord: CurrentRecord;

  constructor(spool: Spool, record: Acceptance) {
    this.#spool = spool;
    this.#spoolRecord = new CurrentRecord(spool);
    this.#record = record;
    this.#matches = compilePatterns([...record.patterns, ...(record.formerPatterns ?? [])]);
    this.#createdMs = Date.parse(record.createdAt);
  }

  /**
   * The account of a uid. undefined while the account database does not answer: to make up a name then would let somebody speak
   * as the account that really has it.
   */
  senderOf(uid: number): Sender | undefined | Promise<Sender | undefined> {
    const { accounts } = this.#spool;
    const known = accounts.userOf(uid);
    return whenReady(known ?? accounts.findUser(uid), (user) => (user === undefined ? undefined : { uid, user }));
  }

  /**
   * @param writtenMs when it was last written, in ms since 1970; undefined when its age has been judged
   */
  judge(sender: Sender, { raw, value, isFit }: Loaded, writtenMs?: number): Verdict | Promise<Verdict> {
    if (value === undefined) return refusal(sender, "invalid-json", "a line is not JSON");
    const { maxEnvelopeBytes, maxHops } = this.#spool.limits;
    if (raw.length > maxEnvelopeBytes) {
      return refusal(sender, "too-large", `${raw.length} characters, at most ${maxEnvelopeBytes} bytes`);
    }
    if (!isFit && !validateEnvelope(value)) return refusal(sender, "invalid-envelope", describeErrors());
    const envelope = value as Envelope;
    if (!this.#maySpeakAs(envelope.source, sender)) {
      return refusal(
        sender,
        "forged-source",
        `source is ${envelope.source}, but it came from ${sender.user} (uid ${sender.uid})`,
      );
    }
    const misdirected = this.#misdirected(envelope);
    if (misdirected !== undefined) return refusal(sender, "not-for-this-subscription", misdirected);
    if (writtenMs !== undefined && this.#isFromBefore(writtenMs)) {
      const written = new Date(writtenMs).toISOString();
      return refusal(
        sender,
        "older-than-subscription",
        `of ${written}; the subscription is of ${this.#record.createdAt}`,
      );
    }
    if (hasExpired(envelope)) return { kind: "expired" };
    if ((envelope.hops ?? 0) > maxHops)
      return refusal(sender, "hops", `${envelope.hops} messages led to it, at most ${maxHops}`);
    const violations = this.#violations(envelope);
    if (violations === undefined) return { kind: "deliver", envelope, sender };
    return whenReady(violations, (known) =>
      known === undefined ? { kind: "deliver", envelope, sender } : refusal(sender, "schema", known.join("; ")),
    );
  }

  /** An account speaks for itself; root, and the relays that `spool.json` lists by now, for anybody. */
  #maySpeakAs(source: string, sender: Sender): boolean {
    const user = userOfSource(source);
    if (user === undefined) return false;
    if (user === sender.user || sender.uid === 0 || this.#isRelay(sender.user)) return true;
    // One uid may have several names. Only the local files are asked: a made-up name must not cost a look-up elsewhere.
    this.#spool.accounts.refresh();
    return this.#spool.accounts.uidOf(user) === sender.uid;
  }

  /** Not asked about who speaks for itself. What cannot be read makes nobody a relay. */
  #isRelay(user: string): boolean {
    try {
      return this.#spoolRecord.look().relays?.includes(user) === true;
    } catch {
      return false;
    }
  }

  /**
   * Whoever received a message can keep the file, whose owner stays its sender, and move it into any drop box later: an old
   * message played again. A subscription that was there knows its id; one that was made since goes by when it was written. What
   * the message says of its time does not count: an event may well be older than the message that reports it. Nor does anything
   * where the subscription itself is from the future, because then the clock was set back.
   */
  #isFromBefore(writtenMs: number): boolean {
    return writtenMs < this.#createdMs - OLDER_BY_MS && this.#createdMs <= Date.now();
  }

  /** A file can be put where it was not sent to; what binds it is what it says. */
  #misdirected(envelope: Envelope): string | undefined {
    const { address } = this.#record;
    if (address !== undefined) return envelope.to === address ? undefined : `it is not addressed to ${address}`;
    if (envelope.to !== undefined) return "it is a direct message";
    return this.#matches(envelope.topic) ? undefined : `its topic ${envelope.topic} matches no pattern`;
  }

  #violations(envelope: Envelope): Violations | Promise<Violations> {
    try {
      const violations = this.#spool.schemas.check(envelope.topic, envelope.data);
      return violations instanceof Promise ? violations.catch(cannotTell) : violations;
    } catch {
      return cannotTell();
    }
  }
}

/** Where the schema itself is broken, publishers are told; what has been published cannot be judged by it. */
function cannotTell(): undefined {}

function refusal(sender: Sender, reason: RefusalReason, why: string): Verdict {
  // It may quote the message.
  return { kind: "refuse", reason, detail: printable(why, MAX_DETAIL), sender };
}

function hasExpired({ expirytime }: Envelope): boolean {
  return expirytime !== undefined && Date.parse(expirytime) <= Date.now();
}
