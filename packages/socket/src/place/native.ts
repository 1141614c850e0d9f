import { BusError } from "@agentbus/core";

/** The two calls that Node does not have. Both return at once. */
export interface Native {
  /** getsockopt(2). @returns the length of the answer @throws Error with the errno's name as `code` */
  getSocketOption(fd: number, level: number, option: number, answer: Uint8Array): number;
  /** flock(2), exclusive, without waiting. @returns whether it is ours now @throws as above */
  tryLock(fd: number): boolean;
}

let loading: Promise<Native> | undefined;

/**
 * Loads koffi, which calls C functions of the system's library, the first time that somebody needs it.
 * @throws BusError ERR_PLATFORM when it is not installed, or has no build for this platform
 */
export function loadNative(): Promise<Native> {
  return (loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw unavailable(error);
  }));
}

async function load(): Promise<Native> {
  const { default: koffi } = await import("koffi");
  const library = koffi.load(null);
  const getsockopt = library.func(
    "int getsockopt(int fd, int level, int option, _Out_ uint8_t *answer, _Inout_ uint32_t *length)",
  ) as (fd: number, level: number, option: number, answer: Uint8Array, length: [number]) => number;
  const flock = library.func("int flock(int fd, int operation)") as (fd: number, operation: number) => number;

  const failure = (call: string): Error => {
    const errno = koffi.errno();
    const code = Object.entries(koffi.os.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
    return Object.assign(new Error(`${code}: ${call}`), { code });
  };
  return {
    getSocketOption(fd, level, option, answer) {
      const length: [number] = [answer.length];
      if (getsockopt(fd, level, option, answer, length) !== 0) throw failure("getsockopt");
      return length[0];
    },
    tryLock(fd) {
      if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
      const error = failure("flock") as NodeJS.ErrnoException;
      if (error.code === "EWOULDBLOCK" || error.code === "EAGAIN") return false;
      throw error;
    },
  };
}

/** flock(2), the same on Linux and macOS. */
const LOCK_EX = 2;
const LOCK_NB = 4;

function unavailable(cause: unknown): BusError {
  const why = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
  return new BusError(
    "ERR_PLATFORM",
    `cannot ask the kernel who is at the other end of a socket: koffi does not load (${why})`,
    { cause, fix: "npm install koffi; it is an optional dependency, which npm install --omit=optional leaves out" },
  );
}
