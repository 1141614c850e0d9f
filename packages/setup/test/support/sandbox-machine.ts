import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

/** What `test(name, { skip })` takes: false where a machine can be pretended. */
export const NEEDS_NAMESPACES: string | false = whyNoSandbox();

const REPOSITORY = fileURLToPath(new URL("../../../../../", import.meta.url));

/** What is prepared before anything else runs in it; nothing of it outlives the namespace. */
const PREPARE = `
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
# Other tests may make accounts on this machine right now, all with names that begin with abt: neither those nor their locks and
# drafts, which come and go, are wanted here. What is done is renamed into place, so each file is whole.
cp -a /etc /mnt/etc 2>/dev/null || true
rm -f /mnt/etc/*.lock
for file in passwd group shadow gshadow subuid subgid; do sed -i /^abt/d /mnt/etc/$file; done
mkdir -p /mnt/etc/sudoers.d /mnt/etc/tmpfiles.d /mnt/agentbus
mount --bind /mnt/etc /etc
mount --bind "$1" /mnt/agentbus
for dir in /home /var/spool /var/lib /var/log /var/mail /run; do
  test -d "$dir" && test ! -L "$dir" && mount -t tmpfs -o mode=755 tmpfs "$dir"
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -p /var/spool/cron/crontabs
# Where it is, everything starts that runs in it.
cd /
`;

/** What is left to do then: to say that it is ready, and to be there until the test is over. */
const WAIT = `
echo ready
exec cat
`;

export interface Ended {
  /** 128 and more when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A machine of its own for a test: this one's programs, but a copy of /etc, empty /home, /var/spool, /var/lib, /run and /tmp, and only its own
 * processes. Root in it may make accounts without anybody noticing. It is gone with the test, also when the test is killed.
 */
export class SandboxMachine {
  /** The command, where every account of the machine can read it. */
  readonly agentbus = "/mnt/agentbus/packages/cli/bin/agentbus.cjs";
  readonly #holder: ChildProcess;
  readonly #pid: number;

  private constructor(holder: ChildProcess, pid: number) {
    this.#holder = holder;
    this.#pid = pid;
  }

  /**
   * @param wait what its first process does when all is prepared, in sh: it says "ready" and stays; what is its root then is everybody's
   * @param args for that script, from $2 on; $1 is the repository
   */
  static async make(context: TestContext, wait = WAIT, args: readonly string[] = []): Promise<SandboxMachine> {
    const isolate = ["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private"];
    const holder = spawn("unshare", [...isolate, "sh", "-c", `${PREPARE}\n${wait}`, "sh", REPOSITORY, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    context.after(() => end(holder));
    await ready(holder);
    const children = fs.readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8").trim().split(" ");
    return new SandboxMachine(holder, Number(children[0]));
  }

  /** Runs a program in it, as root, to its end. */
  run(argv: readonly string[], { input = "", env = {} }: { input?: string; env?: NodeJS.ProcessEnv } = {}): Ended {
    const { status, signal, stdout, stderr, error } = spawnSync("nsenter", [...this.#enter, ...argv], {
      input,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      env: { PATH: process.env["PATH"], LC_ALL: "C", NODE_DISABLE_COMPILE_CACHE: "1", ...env },
    });
    if (error !== undefined) throw error;
    return { status: signal === null ? (status ?? 0) : 255, stdout, stderr };
  }

  /** The same, and a failure is the test's. @returns what it printed */
  must(argv: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}): string {
    const { status, stdout, stderr } = this.run(argv, options);
    if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${status}\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** Starts a program in it that goes on while the test does; it ends with the machine. */
  start(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return spawn("nsenter", [...this.#enter, ...argv], {
      env: { PATH: process.env["PATH"], LC_ALL: "C", NODE_DISABLE_COMPILE_CACHE: "1", ...env },
    });
  }

  sh(script: string): string {
    return this.must(["sh", "-c", script]);
  }

  /** `agentbus setup …` in it. */
  setup(args: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}): Ended {
    return this.run([process.execPath, this.agentbus, "setup", ...args], options);
  }

  /** Runs an ES module in it, as root, and gives what it prints. It imports from the repository, as tests do. */
  module(code: string): string {
    return this.must([process.execPath, "--input-type=module", "--eval", code], {
      env: { AGENTBUS_REPOSITORY: "/mnt/agentbus" },
    });
  }

  /**
   * With a uid far from those of the accounts that other tests make on the real machine: they kill by uid, and see the processes of
   * this one.
   */
  addHuman(name: string): void {
    const uids = ["--key", "UID_MIN=41000", "--key", "UID_MAX=41999"];
    this.must(["useradd", "--create-home", "--user-group", ...uids, "--shell", "/bin/bash", name]);
  }

  write(path: string, text: string): void {
    this.must(["sh", "-c", 'cat > "$1"', "sh", path], { input: text });
  }

  /** Everything that setup may change, as text, to be compared: account files, generated files, homes and spools, with owners and modes. */
  snapshot(): string {
    return this.must(["sh", "-c", SNAPSHOT]);
  }

  get #enter(): string[] {
    return ["--target", String(this.#pid), "--mount", "--pid", "--root", "--wd", "--"];
  }

  /** Whether it still runs. */
  get isAlive(): boolean {
    return this.#holder.exitCode === null && this.#holder.signalCode === null;
  }
}

/** Prints a group file with the members of each group in order, which says nothing. */
export const SORTED_MEMBERS = `awk -F: -v OFS=: '{ n = split($4, m, ","); for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (m[j] < m[i]) { t = m[i]; m[i] = m[j]; m[j] = t }
      $4 = ""; for (i = 1; i <= n; i++) $4 = $4 (i > 1 ? "," : "") m[i]; print }'`;

/** A script for sh that prints what `snapshot` gives. */
export const SNAPSHOT = `
for file in passwd group shadow gshadow subuid subgid; do
  echo "== /etc/$file"
  case $file in
    group|gshadow) ${SORTED_MEMBERS} /etc/$file ;;
    *) cat /etc/$file ;;
  esac
done
for dir in /etc/sudoers /etc/sudoers.d /etc/tmpfiles.d /etc/systemd /etc/security /home /var/spool /var/mail /Library; do
  test -e $dir || continue
  echo "== $dir"
  find $dir -printf '%M %U:%G %y %p -> %l\\n' | sort -k4
  find $dir -type f -not -name spool.json -not -name subscription.json -exec sha256sum {} + | sort -k2
done
`;

/** Fails with the lines that differ, instead of two long texts. */
export function assertSame(actual: string, expected: string, message: string): void {
  const [now, before] = [new Set(actual.split("\n")), new Set(expected.split("\n"))];
  const added = [...now].filter((line) => !before.has(line)).map((line) => `+${line}`);
  const missing = [...before].filter((line) => !now.has(line)).map((line) => `-${line}`);
  assert.deepEqual([...added, ...missing], [], message);
}

function whyNoSandbox(): string | false {
  if (process.platform !== "linux") return "needs Linux, for namespaces";
  if (process.geteuid?.() !== 0) return "needs root, to make mount and pid namespaces";
  for (const tool of ["unshare", "nsenter", "useradd", "gpasswd"]) {
    if (spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0) return `needs ${tool} (util-linux, passwd)`;
  }
  const { status, stderr } = spawnSync("unshare", ["--mount", "--pid", "--fork", "--mount-proc", "true"], {
    encoding: "utf8",
  });
  return status === 0 ? false : `needs mount and pid namespaces: ${stderr.trim()}`;
}

function ready(holder: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    holder.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    holder.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (text.includes("ready")) resolve();
    });
    holder.on("error", reject);
    holder.on("exit", (status) => reject(new Error(`the sandbox ended with ${status}: ${said}`)));
  });
}

async function end(holder: ChildProcess): Promise<void> {
  if (holder.exitCode !== null || holder.signalCode !== null) return;
  const gone = new Promise((resolve) => holder.once("exit", resolve));
  holder.kill("SIGKILL");
  await gone;
}
