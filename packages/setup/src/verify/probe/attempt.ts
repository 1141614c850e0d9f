/** What the kernel said to one attempt. */
export interface Attempt {
  readonly path: string;
  /**
   * - refused: it may not. Only what says so counts: EACCES, EPERM, and for writing EROFS.
   * - absent: there is nothing, or nothing that can be tried.
   * - untried: it failed for another reason, so nothing is known.
   */
  readonly outcome: "allowed" | "refused" | "absent" | "untried";
  readonly errno?: string;
}

const REFUSALS: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS"]);
const ABSENCES: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ESRCH", "ELOOP", "ENXIO"]);

/** Tries one thing. @param action returns false when there is nothing to try */
export function attempt(path: string, action: () => unknown): Attempt {
  try {
    return { path, outcome: action() === false ? "absent" : "allowed" };
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? String(error);
    const outcome = REFUSALS.has(errno) ? "refused" : ABSENCES.has(errno) ? "absent" : "untried";
    return { path, outcome, errno };
  }
}
