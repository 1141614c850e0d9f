/**
 * - error: the bus does not work, or does not keep its promises.
 * - warning: it will stop working, or keeps less than it could.
 * - info: good to know.
 */
export type Severity = "error" | "warning" | "info";

/** One thing that the doctor found. */
export interface Finding {
  readonly severity: Severity;
  /** Which check found it, such as "modes": stable, for programs. */
  readonly check: string;
  readonly path?: string;
  /** One sentence. Names that others chose stand in it as a shell would read them. */
  readonly message: string;
  /** The command that mends it. */
  readonly fix?: string;
}

interface Remedy {
  readonly path?: string | undefined;
  readonly fix?: string | undefined;
}

export function finding(severity: Severity, check: string, message: string, { path, fix }: Remedy = {}): Finding {
  return { severity, check, ...(path === undefined ? {} : { path }), message, ...(fix === undefined ? {} : { fix }) };
}
