import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";

/** What `test(name, { skip })` takes: false where accounts can be made. */
export const NEEDS_ROOT: string | false =
  process.platform === "linux" && process.geteuid?.() === 0 ? false : "needs root on Linux, to make throwaway accounts";

const BUSY = 1; // of useradd and userdel: somebody else holds the lock of /etc/passwd

/** A group, its members, and accounts outside of it, for the length of one test file. Names begin with "abt". */
export class ThrowawayAccounts {
  readonly group = `abt${randomBytes(4).toString("hex")}`;
  readonly members: readonly string[];
  readonly outsiders: readonly string[];
  readonly #made: string[] = [];

  constructor(memberCount: number, outsiderCount: number) {
    const name = (kind: string, index: number) => `${this.group}${kind}${index}`;
    this.members = Array.from({ length: memberCount }, (_, index) => name("m", index));
    this.outsiders = Array.from({ length: outsiderCount }, (_, index) => name("o", index));
    try {
      run("groupadd", this.group);
      for (const user of this.members) this.#add(user, "--groups", this.group);
      for (const user of this.outsiders) this.#add(user);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** The nth member. */
  member(index: number): string {
    return this.members[index] ?? "";
  }

  #add(user: string, ...options: string[]): void {
    run("useradd", "--no-create-home", "--user-group", "--shell", "/bin/sh", ...options, user);
    this.#made.push(user);
  }

  remove(): void {
    for (const user of this.#made) run("userdel", user);
    run("groupdel", this.group);
  }
}

/**
 * Runs an ES module as another account and gives what it prints. The imports at its beginning are loaded by root: the account
 * need not be able to read the repository.
 *
 * @param preparation what root does last, such as taking groups away
 */
export async function runAs(user: string, module: string, preparation = ""): Promise<string> {
  const imports = /^(?:\s*import\s[^;]*;)*/.exec(module)?.[0] ?? "";
  const gid = Number(spawnSync("id", ["-g", user], { encoding: "utf8" }).stdout);
  const name = JSON.stringify(user);
  const become = `process.initgroups(${name}, ${gid}); ${preparation}\nprocess.setgid(${gid}); process.setuid(${name});`;
  const env = { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent" };
  return runHere(`${imports}\n${become}\n${module.slice(imports.length)}`, env);
}

/** Runs an ES module in a process of its own, and gives what it prints. */
export async function runHere(module: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", module], {
    cwd: "/",
    env,
  });
  return stdout;
}

function run(command: string, ...args: string[]): void {
  for (let attempt = 0; ; attempt++) {
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
    if (status === 0) return;
    if (status !== BUSY || attempt === 50) throw new Error(`${command} ${args.join(" ")}: ${status} ${stderr}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
}
