import fs from "node:fs";
import type { WatchOptions, Watcher } from "./watcher.js";

const DEFAULT_POLL_MS = 100;

/**
 * Looks at the directory's own times every `pollMs`, for filesystems whose changes cause no events here.
 *
 * Node's `fs.watchFile` does that, and no more is needed: a library that polls also keeps books about the entries, and would
 * lstat(2) every message at the start and again at every change (docs/performance.md has the figures for chokidar).
 */
export async function watchByPolling(
  dir: string,
  { onChange, pollMs = DEFAULT_POLL_MS }: Pick<WatchOptions, "onChange" | "pollMs">,
): Promise<Watcher> {
  if (!(await fs.promises.stat(dir)).isDirectory())
    throw Object.assign(new Error(`not a directory: ${dir}`), { code: "ENOTDIR" });
  let spareLook: NodeJS.Timeout | undefined;
  /**
   * A change in the same tick of the filesystem's clock as the last one leaves no trace in the times, nor does one before the
   * first look, which the poll takes after this function returned. One more look after each report finds both.
   */
  const lookOnceMore = () => {
    clearTimeout(spareLook);
    spareLook = setTimeout(() => onChange(), 2 * pollMs);
  };
  const listener = () => {
    lookOnceMore();
    onChange();
  };
  fs.watchFile(dir, { interval: pollMs, bigint: true }, listener);
  lookOnceMore();
  return {
    close: () => {
      clearTimeout(spareLook);
      fs.unwatchFile(dir, listener);
    },
  };
}
