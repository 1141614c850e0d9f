import fs from "node:fs";
import { basename } from "node:path";
import { EventQueue } from "./event-queue.js";
import type { WatchOptions, Watcher } from "./watcher.js";

/**
 * The events of the operating system, by Node: inotify(7) on Linux, FSEvents on macOS.
 *
 * On Linux the watch is in force when this returns: libuv calls inotify_add_watch(2) before `fs.watch` returns
 * (deps/uv/src/unix/linux.c, uv_fs_event_start). It follows `/proc/self/fd/<fd>` to the inode that the descriptor stands for,
 * and needs read permission on it.
 *
 * libuv drops the queue's overflow event silently, so a burst can be lost without a trace (event-queue.ts).
 */
export function watchWithNode(dir: string, { onChange, onError }: Pick<WatchOptions, "onChange" | "onError">): Watcher {
  const watcher = fs.watch(dir, { encoding: "latin1" });
  // What happens to the directory itself comes under its own name.
  const ownName = basename(dir);
  const queue = new EventQueue();
  watcher.on("change", (_type, name) => {
    const isNext = queue.isNext();
    onChange(typeof name === "string" && name !== ownName ? name : undefined, isNext);
  });
  // An "error" event without a listener would end the process.
  watcher.on("error", (error) => {
    onError?.(error);
    onChange();
  });
  return { close: () => watcher.close() };
}
