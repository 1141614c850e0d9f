/** Why a file or an envelope is not delivered; `docs/errors.md` explains each. */
export type RefusalReason =
  | "bad-name"
  | "not-a-file"
  | "too-large"
  | "unreadable"
  | "invalid-json"
  | "invalid-envelope"
  | "forged-source"
  | "not-for-this-subscription"
  | "schema"
  | "hops"
  | "older-than-subscription";

/** Why a delivered message ended in `dead/`. */
export type GivenUpReason = "rejected" | "max-attempts" | "consumer-died";

export type DeadReason = RefusalReason | GivenUpReason;

/** Something in a drop box that was not delivered, and is kept in `dead/` with this reason. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly detail: string;
  /** Who put it there, by the owner of the inode; absent when that could not be seen. */
  readonly sender?: { readonly user?: string | undefined; readonly uid: number } | undefined;
  /** The file's name, with everything unprintable escaped. */
  readonly file: string;
  readonly subscription: string;
}

/** A text from somebody else, such as a file name, fit for a terminal and a log: bounded, and nothing but printable ASCII. */
export function printable(text: string, maxLength = 200): string {
  const escaped = text
    .slice(0, maxLength + 1)
    .replaceAll(/[^\x20-\x7e]|\\/g, (unit) =>
      unit === "\\" ? "\\\\" : `\\x${unit.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
  return escaped.length > maxLength ? `${escaped.slice(0, maxLength - 3)}...` : escaped;
}
