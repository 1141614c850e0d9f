import { SeamWatch, type SeamCall } from "../crash/seam-calls.js";

/** What can go wrong with one call: an errno, or less done than was asked for. */
export const FAULTS = ["ENOSPC", "EDQUOT", "EACCES", "EMFILE", "EINTR", "EIO", "short"] as const;
export type Fault = (typeof FAULTS)[number];

/** Which call goes wrong, and how. */
export interface Mishap {
  readonly fault: Fault;
  /** Which call of all, from 1. */
  readonly at: number;
}

/** A filesystem in which one call goes wrong, once. */
export class FaultyCalls {
  readonly watch: SeamWatch;
  /** Names of the calls since it was armed. */
  readonly calls: string[] = [];
  /** The call that went wrong; undefined until it does. */
  struck: SeamCall | undefined;
  #mishap: Mishap | undefined;
  #isCounting = false;

  constructor(spoolPath: string) {
    this.watch = new SeamWatch(spoolPath, (call, proceed, args) => {
      if (!this.#isCounting) return proceed(args);
      this.calls.push(call.name);
      const mishap = this.#mishap;
      if (this.calls.length !== mishap?.at) return proceed(args);
      this.struck = call;
      return goWrong(call, mishap.fault, proceed, args);
    });
  }

  /** Counts from here on, and strikes. @param mishap undefined: counts only */
  arm(mishap?: Mishap): void {
    this.#mishap = mishap;
    this.#isCounting = true;
    this.calls.length = 0;
  }

  disarm(): void {
    this.#isCounting = false;
  }
}

/** Whether a fault can happen at a call at all. */
export function isPossible(fault: Fault, name: string): boolean {
  return fault !== "short" || /^(write|read|readAsync) /.test(name);
}

function goWrong(
  { operation, name }: SeamCall,
  fault: Fault,
  proceed: (args: unknown[]) => unknown,
  args: unknown[],
): unknown {
  if (fault === "short") {
    // write(2) and read(2) may do less than they were asked to: (fd, text), or (fd, buffer, offset, length, position).
    const [fd, what, offset, length, position] = args;
    const less = (whole: number) => Math.max(1, Math.floor(whole / 3));
    if (typeof what === "string") return proceed([fd, what.slice(0, less(what.length))]);
    return proceed([fd, what, offset, less(length as number), position]);
  }
  const error = Object.assign(new Error(`${fault}: injected into "${name}"`), { code: fault, syscall: operation });
  // close(2) of Linux lets go of the descriptor whatever it says.
  if (operation === "close") proceed(args);
  if (/^(fsync|fdatasync|readAsync)$/.test(operation)) return Promise.reject(error);
  throw error;
}
