export interface Identity {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes another account of this process for good, with the groups that a login gives it. It does not give up the right to gain
 * privileges (no_new_privs), since sudo is to be tried too.
 *
 * Unlike a program that the account starts, this process cannot be traced by the account's other ones: the kernel keeps them out of
 * what has changed its account (prctl(2), PR_SET_DUMPABLE; P_SUGID on macOS).
 * @throws Error when it is not that account, and nothing more, afterwards
 */
export function become({ name, uid, gid }: Identity): void {
  if (uid === 0) throw new Error(`${name} is root`);
  // Any process of the account could send SIGUSR1, on which Node opens a debugger to whoever connects, unless somebody listens.
  process.on("SIGUSR1", () => undefined);
  const own = process as typeof process & { initgroups(user: string, extraGroup: number): void };
  own.initgroups(name, gid);
  own.setgid?.(gid);
  own.setuid?.(uid);
  requireNothingLeft(uid, gid);
  // Nothing of what is made for the spool depends on it; with another one, core starts a program to make its directories.
  process.umask(0o007);
  process.chdir("/");
}

function requireNothingLeft(uid: number, gid: number): void {
  const ids = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()];
  if (ids.join() !== [uid, uid, gid, gid].join()) throw new Error(`the kernel says uid and gid ${ids.join()}`);
  let isRootAgain = true;
  try {
    process.setuid?.(0);
  } catch {
    isRootAgain = false;
  }
  if (isRootAgain) throw new Error("it could become root again");
}
