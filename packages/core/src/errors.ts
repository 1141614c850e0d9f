/**
 * The one error class of agentbus, its codes, and how an errno becomes one.
 *
 * Codes are stable, texts are not. `schemas/errors.json` says what each code means, what to do about it and which exit
 * code the command line gives it.
 */

export const ERROR_CODES = [
  "ERR_ACCESS",
  "ERR_ACCOUNT",
  "ERR_ADDRESS_UNKNOWN",
  "ERR_BACKLOG",
  "ERR_BARRED",
  "ERR_BUSY",
  "ERR_CLOSED",
  "ERR_DISK_FULL",
  "ERR_ENVELOPE_INVALID",
  "ERR_EXPIRED",
  "ERR_HOPS",
  "ERR_IO",
  "ERR_LOCK_LOST",
  "ERR_NOT_FOUND",
  "ERR_NO_PEER",
  "ERR_NO_SUBSCRIPTION",
  "ERR_PACKAGE_MISSING",
  "ERR_PARTIAL",
  "ERR_PATH_TOO_LONG",
  "ERR_PLATFORM",
  "ERR_RESPONDER",
  "ERR_SCHEMA",
  "ERR_SETUP_CONFLICT",
  "ERR_SETUP_FILE",
  "ERR_SETUP_STEP",
  "ERR_SPOOL_AMBIGUOUS",
  "ERR_SPOOL_LAYOUT",
  "ERR_SPOOL_NOT_FOUND",
  "ERR_SPOOL_UNTRUSTED",
  "ERR_SQUATTED",
  "ERR_TIMEOUT",
  "ERR_TOO_LARGE",
  "ERR_TOO_MANY_FILES",
  "ERR_TOPIC_INVALID",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface BusErrorOptions {
  /** The path that the bus could not use, where there is one. */
  readonly path?: string | undefined;
  /** What mends it, as a command or a line of code where possible. */
  readonly fix?: string | undefined;
  readonly cause?: unknown;
  /** Facts for programs, such as `{ stored: ["alice~ci"], missing: ["bob~audit"] }` of `ERR_PARTIAL`. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

// A registered symbol survives two copies of this package in one process, where `instanceof` would not.
const BRAND = Symbol.for("agentbus.BusError");

/** Everything that the bus refuses or cannot do. Misuse by the programmer throws `TypeError` instead. */
export class BusError extends Error {
  readonly code: ErrorCode;
  readonly path: string | undefined;
  readonly fix: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly [BRAND] = true;

  constructor(code: ErrorCode, message: string, options: BusErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "BusError";
    this.code = code;
    this.path = options.path;
    this.fix = options.fix;
    this.details = options.details;
  }
}

/** True for a `BusError` of any copy of this package. */
export function isBusError(value: unknown): value is BusError {
  return typeof value === "object" && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}

const CODE_OF_ERRNO: Readonly<Record<string, ErrorCode>> = {
  EACCES: "ERR_ACCESS",
  EPERM: "ERR_ACCESS",
  EROFS: "ERR_ACCESS",
  ENOSPC: "ERR_DISK_FULL",
  EDQUOT: "ERR_DISK_FULL",
  EMFILE: "ERR_TOO_MANY_FILES",
  ENFILE: "ERR_TOO_MANY_FILES",
};

const FIX_OF_CODE: Partial<Record<ErrorCode, string>> = {
  ERR_ACCESS: "agentbus doctor",
  ERR_DISK_FULL:
    "free space or inodes on that filesystem (df -h and df -i), or raise the account's quota, and try again",
  ERR_IO: "look into the kernel's log (journalctl -k, dmesg) and at the path; agentbus doctor finds the usual causes",
  ERR_TOO_MANY_FILES: "raise the limit of open files (ulimit -n), or close what the process keeps open",
};

/**
 * Turns what the kernel refused into a `BusError`: "cannot <doing> <path>: <errno>". An error that is one already
 * passes through unchanged.
 */
export function fromErrno(cause: unknown, doing: string, path?: string, fix?: string): BusError {
  if (isBusError(cause)) return cause;
  const errno = errnoOf(cause);
  const code = CODE_OF_ERRNO[errno ?? ""] ?? "ERR_IO";
  const why = errno ?? (cause instanceof Error ? cause.message : String(cause));
  const message = `cannot ${doing}${path === undefined ? "" : ` ${path}`}: ${why}`;
  return new BusError(code, message, { path, cause, fix: fix ?? FIX_OF_CODE[code] });
}

/** The errno name of a Node system error, such as "ENOENT"; undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
