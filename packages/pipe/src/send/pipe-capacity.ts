/** What a pipe holds unless somebody changes that (pipe(7)), in bytes. */
export const DEFAULT_CAPACITY = 64 * 1024;
/**
 * What ours are to hold: enough that neither end stops for the time that the other one takes to be scheduled. An account may
 * have 64 MiB of pipes (pipe(7), pipe-user-pages-soft), which are 256 of these; its further ones stay small.
 */
const CAPACITY = 256 * 1024;
/** fcntl(2); on Linux only. */
const F_SETPIPE_SZ = 1031;

type Fcntl = (fd: number, command: number, type: "int", argument: number) => number;

let loading: Promise<Fcntl | undefined> | undefined;

/**
 * Has a pipe hold more than the default, where that can be: on Linux, with koffi, which calls what Node does not have. Everything works
 * without as well, with more waiting.
 * @param fd either end of it @returns what it holds, in bytes
 */
export async function widen(fd: number): Promise<number> {
  if (process.platform !== "linux") return DEFAULT_CAPACITY;
  const fcntl = await (loading ??= loadFcntl());
  const capacity = fcntl?.(fd, F_SETPIPE_SZ, "int", CAPACITY) ?? -1;
  // EPERM: the account has too many already.
  return capacity > 0 ? capacity : DEFAULT_CAPACITY;
}

/** @returns undefined where koffi is not installed, or has no build for this platform */
async function loadFcntl(): Promise<Fcntl | undefined> {
  try {
    const { default: koffi } = await import("koffi");
    return koffi.load(null).func("int fcntl(int fd, int command, ...)") as Fcntl;
  } catch {
    return undefined;
  }
}
