import type { Step } from "../deliver/judge-file.js";
import type { Taken } from "../deliver/take.js";
import { fromErrno, type BusError } from "../errors.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import type { SubscriptionStatistics } from "./statistics.js";

export interface Backoff {
  /** Before the second attempt, in milliseconds; doubled for each further one. @default 1000 */
  readonly minMs: number;
  /** @default 60000 */
  readonly maxMs: number;
}

export interface Attempts {
  readonly maxAttempts: number;
  readonly backoff: Backoff;
}

/** What settling needs of whoever hands messages out. */
export interface SettlementHost {
  /** A message is about to be settled. */
  settling(): void;
  /** A message is settled, or back. */
  finished(taken: Taken): void;
  /** There is a message to be delivered again. */
  putBack(): void;
}

/** What becomes of messages that were handed out: done, to be tried again, or given up. */
export class Settlement {
  readonly #path: string;
  readonly #attempts: Attempts;
  readonly #statistics: SubscriptionStatistics;
  readonly #host: SettlementHost;

  constructor(
    { path }: SubscriptionDirectories,
    attempts: Attempts,
    statistics: SubscriptionStatistics,
    host: SettlementHost,
  ) {
    this.#path = path;
    this.#attempts = attempts;
    this.#statistics = statistics;
    this.#host = host;
  }

  /**
   * @param isLate nobody waits for it, so it may be noted a moment later
   * @throws BusError; the message then stays claimed, and this may be called again
   */
  ack(taken: Taken, isLate = false): void {
    this.#host.settling();
    try {
      taken.claim.ack(taken.index, isLate);
    } catch (error) {
      throw this.#unsettled("acknowledge", error);
    }
    this.#host.finished(taken);
    this.#statistics.acked++;
  }

  /** Puts the message back for another attempt, or gives it up after the last one. @param delayMs @default by the backoff */
  nack(taken: Taken, reason: string, delayMs?: number): void {
    this.#host.settling();
    const { attempt } = taken;
    if (attempt >= this.#attempts.maxAttempts) {
      const detail = `attempt ${attempt}: ${reason}`;
      this.#settle("give up", taken, () => taken.claim.bury(taken, attempt, "max-attempts", detail));
      this.#statistics.rejected++;
      return;
    }
    const dueMs = Date.now() + (delayMs ?? this.#backoffMs(attempt));
    this.#settle("put back", taken, () => taken.claim.putBack(taken, dueMs));
    this.#statistics.nacked++;
    this.#host.putBack();
  }

  reject(taken: Taken, reason: string): void {
    this.#host.settling();
    this.#settle("reject", taken, () => taken.claim.bury(taken, taken.attempt, "rejected", reason));
    this.#statistics.rejected++;
  }

  /** It has had all the attempts that it may have. */
  isExhausted({ attempt, verdict }: Step): boolean {
    return verdict.kind === "deliver" && attempt > this.#attempts.maxAttempts;
  }

  /** Its last attempt was the one in which its consumer died. */
  giveUp({ claim, index, attempt, isSuspect, raw, verdict }: Step): undefined {
    if (verdict.kind !== "deliver") return;
    const attempts = attempt - 1;
    const detail = isSuspect
      ? `its consumer died while handling it, ${attempts} times in all`
      : `after ${attempts} attempts`;
    const { sender } = verdict;
    claim.bury({ index, raw, sender }, attempts, isSuspect ? "consumer-died" : "max-attempts", detail);
    this.#statistics.rejected++;
  }

  #settle(doing: string, taken: Taken, action: () => void): void {
    try {
      action();
    } catch (error) {
      throw this.#unsettled(doing, error);
    }
    this.#host.finished(taken);
  }

  #unsettled(doing: string, cause: unknown): BusError {
    return fromErrno(cause, `${doing} a message of`, this.#path);
  }

  #backoffMs(attempt: number): number {
    const { minMs, maxMs } = this.#attempts.backoff;
    return Math.min(maxMs, minMs * 2 ** (attempt - 1));
  }
}
