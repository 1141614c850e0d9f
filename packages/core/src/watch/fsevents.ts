import fs from "node:fs";
import { basename, dirname } from "node:path";
import type { WatchOptions, Watcher } from "./watcher.js";

/** What this file uses of the optional package `fsevents`, which npm installs on macOS only. */
interface Fsevents {
  watch(path: string, handler: (path: string, flags: number) => void): () => Promise<void>;
  readonly constants: Readonly<Record<"MustScanSubDirs" | "UserDropped" | "KernelDropped" | "RootChanged", number>>;
}

/** FSEventStreamStart() does not say when the first event can arrive; one look after this time covers the gap. */
const SETTLE_MS = 100;

/**
 * FSEvents without Node's own layer, which holds events back for 50 ms and drops the ones that say "events were lost".
 * Nothing in this file has been run on a Mac.
 *
 * @returns undefined when the package is not installed
 */
export async function watchWithFsevents(
  dir: string,
  { onChange, onError }: Pick<WatchOptions, "onChange" | "onError">,
): Promise<Watcher | undefined> {
  const fsevents = await load();
  if (fsevents === undefined) return undefined;
  const { MustScanSubDirs, UserDropped, KernelDropped, RootChanged } = fsevents.constants;
  const lookAtAll = MustScanSubDirs | UserDropped | KernelDropped | RootChanged;
  // Events carry real paths: /var/spool is /private/var/spool.
  const realDir = await fs.promises.realpath(dir);
  let isClosed = false;
  const stop = fsevents.watch(realDir, (path, flags) => {
    if (isClosed) return;
    if (path === realDir || (flags & lookAtAll) !== 0) onChange();
    else if (dirname(path) === realDir) onChange(Buffer.from(basename(path)).toString("latin1"));
  });
  const settled = setTimeout(() => onChange(), SETTLE_MS);
  return {
    close: () => {
      isClosed = true;
      clearTimeout(settled);
      stop().catch((error: unknown) => {
        onError?.(error instanceof Error ? error : new Error(String(error)));
      });
    },
  };
}

async function load(): Promise<Fsevents | undefined> {
  // Not a literal: elsewhere the compiler would look for a package that is not there.
  const name: string = "fsevents";
  try {
    const module = (await import(name)) as { default: Fsevents };
    return module.default;
  } catch {
    return undefined;
  }
}
