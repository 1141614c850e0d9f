/**
 * - error: the isolation does not hold, or the bus does not work.
 * - warning: it holds less than it could, or something could not be tried.
 * - info: good to know.
 */
export type Severity = "error" | "warning" | "info";

/** One thing that is not as it should be. */
export interface VerifyFinding {
  readonly severity: Severity;
  /** Which check found it, such as "human-secrets-closed": stable, for programs. */
  readonly check: string;
  /** The account that it is about; undefined: the machine. */
  readonly agent?: string;
  /** One sentence. */
  readonly message: string;
  /** What was tried, and what happened. */
  readonly evidence: string;
  /** The command that mends it, to be run as root. */
  readonly fix: string;
}

/** A check that found nothing. */
export interface PassedCheck {
  readonly check: string;
  /** For whom; undefined: the machine. */
  readonly agent?: string;
}

/** All that `verify` has to say. */
export interface Verdict {
  readonly agents: readonly string[];
  readonly findings: readonly VerifyFinding[];
  readonly passed: readonly PassedCheck[];
}

/** A finding before it is known which check it belongs to. */
export type Trouble = Omit<VerifyFinding, "check">;

/** What came of a check; undefined: there was nothing to try it on. */
export type Tried = readonly Trouble[] | undefined;

/** False when the isolation does not hold, could not be shown to, or is less than an administrator would expect. */
export function isClean({ findings }: Verdict): boolean {
  return findings.length === 0;
}
