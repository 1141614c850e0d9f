import fs from "node:fs";
import { BusError, errnoOf, fromErrno } from "../errors.js";
import { isTypeWithoutEvents } from "./filesystem-types.js";
import { watchWithFsevents } from "./fsevents.js";
import { watchWithNode } from "./native.js";
import { watchByPolling } from "./polling.js";
import type { WatchOptions, Watcher } from "./watcher.js";

/**
 * Watches a directory for entries that come and go.
 *
 * Whatever changes after it resolved is reported. It rejects when the directory cannot be watched at all: it is missing, or it cannot
 * be listed by this account.
 * @throws BusError ERR_IO, ERR_ACCESS; ERR_TOO_MANY_FILES when mode is "native" and the kernel has no watch left
 */
export async function watchDirectory(dir: string, options: WatchOptions): Promise<Watcher> {
  const { mode, path = dir } = options;
  try {
    const polls = mode === "polling" || (mode === "auto" && (await isWithoutEvents(dir)));
    return polls ? await watchByPolling(dir, options) : await watchNatively(dir, options);
  } catch (error) {
    throw fromErrno(error, "watch", path);
  }
}

async function watchNatively(dir: string, options: WatchOptions): Promise<Watcher> {
  const { mode, path = dir } = options;
  try {
    const watcher = process.platform === "darwin" ? await watchWithFsevents(dir, options) : undefined;
    return watcher ?? watchWithNode(dir, options);
  } catch (error) {
    const shortage = shortageOf(error);
    if (shortage === undefined) throw error;
    const { what, fix } = shortage;
    if (mode === "native") {
      throw new BusError("ERR_TOO_MANY_FILES", `cannot watch ${path}: ${what}`, { path, fix, cause: error });
    }
    warnOnce(`agentbus looks at ${path} again and again instead of being woken: ${what}. Mend it with: ${fix}`);
    return watchByPolling(dir, options);
  }
}

/** Linux only: the numbers of macOS are handed out at boot and mean nothing. */
async function isWithoutEvents(dir: string): Promise<boolean> {
  if (process.platform !== "linux") return false;
  const { type } = await fs.promises.statfs(dir);
  return isTypeWithoutEvents(type);
}

/** Which limit of inotify(7) a failure to watch means, and what raises it. */
function shortageOf(error: unknown): { what: string; fix: string } | undefined {
  const errno = errnoOf(error);
  // Not a full disk: inotify_add_watch(2) says ENOSPC for "no watch left".
  if (errno === "ENOSPC") {
    return {
      what: "this account has as many inotify watches as it may",
      fix: "sudo sysctl fs.inotify.max_user_watches=524288",
    };
  }
  if (errno !== "EMFILE") return undefined;
  return canOpenFiles()
    ? {
        what: "this account has as many inotify instances as it may",
        fix: "sudo sysctl fs.inotify.max_user_instances=1024",
      }
    : { what: "this process has as many files open as it may", fix: "ulimit -n 65536, before it starts" };
}

/** inotify_init(2) fails with EMFILE for either limit. */
function canOpenFiles(): boolean {
  try {
    fs.closeSync(fs.openSync("/dev/null", "r"));
    return true;
  } catch {
    return false;
  }
}

/** The limits are the account's or the process's, so one warning says it for every bus in the process. */
let hasWarned = false;

function warnOnce(text: string): void {
  if (hasWarned) return;
  hasWarned = true;
  process.emitWarning(text, { type: "AgentbusWarning", code: "AGENTBUS_POLLING" });
}
