/**
 * How a directory's changes are noticed. "auto" takes the kernel's events, and polls where they do not arrive; "native"
 * insists on events; "polling" does without.
 */
export type WatchMode = "auto" | "native" | "polling";

export interface WatchOptions {
  readonly mode: WatchMode;
  /**
   * "Look again": something in the directory may have changed, or the directory itself may be gone. Calls can be merged, lost
   * or superfluous, so whoever depends on a change also looks from time to time without being called.
   *
   * @param name what changed, as a hint, where it is known; in latin1, one character for each byte, because others
   *   choose the names
   * @param isNext whether this is known to be the first change since the one that the call before told of
   */
  readonly onChange: (name?: string, isNext?: boolean) => void;
  /** The watch has failed, and no further call is to be expected from it. */
  readonly onError?: (error: Error) => void;
  /** Time between two looks when polling, in milliseconds. @default 100 */
  readonly pollMs?: number | undefined;
  /** The directory as people know it, for errors; `dir` itself may be a `/proc/self/fd/<fd>`. @default `dir` */
  readonly path?: string | undefined;
}

export interface Watcher {
  /** No call of `onChange` or `onError` comes after it. */
  close(): void;
}
