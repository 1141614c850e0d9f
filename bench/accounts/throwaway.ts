import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { EndAccount } from "../ends/end-process.js";
import type { Leftovers } from "../leftovers.js";

export interface ThrowawayAccounts {
  readonly group: string;
  readonly gid: number;
  readonly publisher: EndAccount;
  readonly subscriber: EndAccount;
  /** Removes them now; what is left of a run that fails or is interrupted, `Leftovers` removes. */
  remove(): void;
}

/** Another useradd, userdel … holds the lock of /etc/passwd: so often it is tried again. */
const ATTEMPTS = 100;
const PAUSE_MS = 50;
const BUSY = 1;

/** Two accounts whose own group is the one that they share. Needs root. */
export function makeThrowawayAccounts(leftovers: Leftovers): ThrowawayAccounts {
  const group = `abb${randomBytes(3).toString("hex")}`;
  command("groupadd", group);
  const removals = [leftovers.addUndo(() => command("groupdel", group))];
  const gid = Number(command("getent", "group", group).split(":")[2]);
  const account = (suffix: string): EndAccount => {
    const name = `${group}${suffix}`;
    const options = ["--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/sh", "--gid", group];
    command("useradd", ...options, name);
    // By force: at Ctrl-C its process may not be quite gone.
    removals.unshift(leftovers.addUndo(() => command("userdel", "--force", name)));
    return { uid: Number(command("id", "-u", name)), gid };
  };
  const publisher = account("p");
  const subscriber = account("s");
  return { group, gid, publisher, subscriber, remove: () => removals.forEach((remove) => remove()) };
}

function command(name: string, ...args: string[]): string {
  for (let attempt = 1; ; attempt++) {
    const { status, stdout, stderr } = spawnSync(name, args, { encoding: "utf8" });
    if (status === 0) return stdout.trim();
    if (status !== BUSY || attempt === ATTEMPTS) throw new Error(`${name} ${args.join(" ")}: ${status} ${stderr}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
  }
}
