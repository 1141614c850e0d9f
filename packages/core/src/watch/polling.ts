import { once } from "node:events";
import { stat } from "node:fs/promises";
import type { WatchOptions, Watcher } from "./watcher.js";

const DEFAULT_POLL_MS = 100;

/**
 * Looks at the directory's own times every `pollMs`, for filesystems whose changes cause no events here.
 *
 * This is chokidar's polling of the directory and nothing of its bookkeeping about files, which would lstat(2) each message
 * at the start and again at every change: with 100,000 of them that takes a core and a minute, and this nothing
 * (docs/performance.md).
 */
export async function watchByPolling(
  dir: string,
  { onChange, onError, pollMs = DEFAULT_POLL_MS }: Pick<WatchOptions, "onChange" | "onError" | "pollMs">,
): Promise<Watcher> {
  // chokidar would wait for a missing directory by watching the one above it.
  if (!(await stat(dir)).isDirectory()) throw Object.assign(new Error(`not a directory: ${dir}`), { code: "ENOTDIR" });
  const { FSWatcher } = await import("chokidar");

  class DirectoryPoll extends FSWatcher {
    /** Every piece of work on the entries asks this first; false means "leave it". The `raw` event does not ask. */
    override _throttle(): false {
      return false;
    }
  }

  const poll = new DirectoryPoll({ usePolling: true, interval: pollMs, ignoreInitial: true });
  let spareLook: NodeJS.Timeout | undefined;
  /**
   * A change in the same tick of the filesystem's clock as the last one leaves no trace in the times, nor does one before the
   * first look, which the poll takes only after it said that it is ready. One more look after each report finds both.
   */
  const lookOnceMore = () => {
    clearTimeout(spareLook);
    spareLook = setTimeout(() => onChange(), 2 * pollMs);
  };
  poll.on("raw", () => {
    lookOnceMore();
    onChange();
  });
  poll.on("error", (error) => onError?.(error instanceof Error ? error : new Error(String(error))));
  const close = () => {
    clearTimeout(spareLook);
    void poll.close(); // removes its listeners at once, and has nothing asynchronous to fail at
  };
  try {
    await once(poll.add(dir), "ready");
  } catch (error) {
    close();
    throw error;
  }
  lookOnceMore();
  return { close };
}
