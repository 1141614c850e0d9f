import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { NEEDS_NAMESPACES, type Ended } from "./sandbox-machine.js";

const SYSTEMD = "/lib/systemd/systemd";
const REPOSITORY = fileURLToPath(new URL("../../../../../", import.meta.url));

/** What `test(name, { skip })` takes. */
export const NEEDS_SYSTEMD: string | false =
  NEEDS_NAMESPACES ||
  (fs.existsSync(SYSTEMD) ? false : "needs systemd (Debian: systemd)") ||
  (spawnSync("unshare", [
    "--cgroup",
    "--mount",
    "sh",
    "-c",
    'd=$(mktemp -d) && mount -t cgroup2 none "$d" && umount "$d" && rmdir "$d"',
  ]).status === 0
    ? false
    : "needs a cgroup namespace and cgroup2, to run systemd in");

const CGROUP_DIR = "/sys/fs/cgroup";
/** Hierarchies of cgroup v1 that systemd makes groups in, where they are the ones that have the controllers; cpuset needs to be told more. */
const V1_HIERARCHIES = ["memory", "pids", "cpu", "cpuacct", "blkio", "devices", "freezer", "systemd"];

/** The version of cgroups that can limit memory and tasks here; undefined: none can. */
const CONTROLLERS = controllersHere();

/** What `test(name, { skip })` takes, for what systemd limits by cgroups. */
export const NEEDS_CONTROLLERS: string | false =
  NEEDS_SYSTEMD ||
  (CONTROLLERS === undefined ? "needs the cgroup controllers memory and pids, of either version" : false);

/**
 * Its own cgroups first, so that all that systemd makes lies below them and can be removed again. Then, as in a container, nothing of the real
 * machine that its units could change: services share a boot ID with the real ones, so another one's systemd-tmpfiles would take their private
 * directories in /var/tmp for its own old ones.
 */
const PREPARE = `
set -e
for dir in $2; do echo $$ > "$dir/cgroup.procs"; done
export HIERARCHIES="$3"
exec unshare --cgroup sh -c '
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
# As in sandbox-machine.ts: accounts that other tests make meanwhile are not wanted here.
cp -a /etc /mnt/etc 2>/dev/null || true
rm -f /mnt/etc/*.lock /mnt/etc/fstab
for file in passwd group shadow gshadow subuid subgid; do sed -i /^abt/d /mnt/etc/$file; done
mkdir -p /mnt/etc/sudoers.d /mnt/etc/tmpfiles.d /mnt/agentbus /mnt/dev/pts /mnt/dev/shm
rm -rf /mnt/etc/systemd/system && mkdir /mnt/etc/systemd/system
mount --bind /mnt/etc /etc
mount --bind "$1" /mnt/agentbus
for dir in /home /var/spool /var/lib /var/log /var/mail /run; do mount -t tmpfs -o mode=755 tmpfs "$dir"; done
for dir in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs "$dir"; done
mount -t tmpfs -o mode=755 tmpfs ${CGROUP_DIR}
if test -z "$HIERARCHIES"; then mount -t cgroup2 none ${CGROUP_DIR}; fi
for name in $HIERARCHIES; do
  mkdir ${CGROUP_DIR}/$name
  case $name in systemd) option=none,name=systemd ;; *) option=$name ;; esac
  mount -t cgroup -o $option none ${CGROUP_DIR}/$name
done
if test -n "$HIERARCHIES"; then mkdir ${CGROUP_DIR}/unified && mount -t cgroup2 none ${CGROUP_DIR}/unified; fi
mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts /mnt/dev/pts
mount -t tmpfs -o mode=1777 tmpfs /mnt/dev/shm
for name in null zero full random urandom tty; do cp -a /dev/$name /mnt/dev/$name; done
ln -s pts/ptmx /mnt/dev/ptmx
mount --rbind /mnt/dev /dev
mount --bind /proc/sys /proc/sys
for dir in / /sys /proc/sys; do
  # In a chroot, / is none.
  if mountpoint --quiet "$dir"; then mount -o remount,bind,ro "$dir"; fi
done
mkdir -p /run/lock /var/spool/cron/crontabs
printf "[Unit]\\nDescription=nothing\\nDefaultDependencies=no\\n" > /etc/systemd/system/abt-idle.target
exec setpriv --bounding-set=-sys_module env -i PATH="$PATH" container=unshare ${SYSTEMD} --system --unit=abt-idle.target --log-target=journal --log-level=warning --show-status=no
' sh "$1"
`;

/** A machine of its own that systemd runs, as PID 1: this one's programs, a copy of /etc, and nothing of this one's units. */
export class SystemdMachine {
  readonly agentbus = "/mnt/agentbus/packages/cli/bin/agentbus.cjs";
  readonly #pid: number;

  private constructor(pid: number) {
    this.#pid = pid;
  }

  /** @param hasControllers whether systemd can limit memory and tasks in it; see NEEDS_CONTROLLERS @default false */
  static async boot(context: TestContext, hasControllers = false): Promise<SystemdMachine> {
    const hierarchies = hasControllers && CONTROLLERS === "v1" ? V1_HIERARCHIES : [];
    const mountPoint = fs.mkdtempSync(join(tmpdir(), "abt-cgroup-"));
    must("mount", "-t", "cgroup2", "none", mountPoint);
    const name = `abt-${randomBytes(4).toString("hex")}`;
    const cgroups = [mountPoint, ...hierarchies.map((each) => join(CGROUP_DIR, each))].map((dir) => join(dir, name));
    for (const cgroup of cgroups) fs.mkdirSync(cgroup);
    const isolate = [
      "--mount",
      "--pid",
      "--uts",
      "--ipc",
      "--fork",
      "--mount-proc",
      "--kill-child",
      "--propagation",
      "private",
    ];
    const holder = spawn(
      "unshare",
      [...isolate, "sh", "-c", PREPARE, "sh", REPOSITORY, cgroups.join(" "), hierarchies.join(" ")],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let said = "";
    for (const stream of [holder.stdout, holder.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    context.after(async () => {
      await end(holder);
      for (const cgroup of cgroups) await removeCgroup(cgroup);
      must("umount", mountPoint);
      fs.rmdirSync(mountPoint);
    });
    for (;;) {
      if (holder.exitCode !== null || holder.signalCode !== null) throw new Error(`systemd did not start: ${said}`);
      const pid = Number(
        fs.readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8").trim().split(" ")[0],
      );
      const machine = new SystemdMachine(pid);
      if (pid > 0 && /running|degraded/.test(machine.run(["systemctl", "is-system-running"]).stdout)) return machine;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Runs a program in it, as root, to its end. */
  run(argv: readonly string[], input = ""): Ended {
    const enter = ["--target", String(this.#pid), "--mount", "--pid", "--wd=/", "--"];
    const { status, stdout, stderr, error } = spawnSync("nsenter", [...enter, ...argv], {
      ...{ input, encoding: "utf8" },
      env: { PATH: process.env["PATH"], LC_ALL: "C", NODE_DISABLE_COMPILE_CACHE: "1" },
    });
    if (error !== undefined) throw error;
    return { status: status ?? 255, stdout, stderr };
  }

  /** The same, and a failure is the test's. @returns what it printed */
  must(argv: readonly string[], input = ""): string {
    const ended = this.run(argv, input);
    if (ended.status !== 0) throw this.#failure(argv, ended);
    return ended.stdout;
  }

  write(path: string, text: string): void {
    this.must(["sh", "-c", 'cat > "$1"', "sh", path], text);
  }

  /** `agentbus setup …` in it. */
  setup(...args: readonly string[]): Ended {
    return this.run([process.execPath, this.agentbus, "setup", ...args]);
  }

  /** Applies a setup file to it; a failure is the test's. */
  apply(path: string): void {
    this.must([process.execPath, this.agentbus, "setup", "apply", "--yes", path]);
  }

  /** Why a unit does not start, systemd says to its journal alone. */
  #failure(argv: readonly string[], { status, stdout, stderr }: Ended): Error {
    const journal = this.run(["journalctl", "--no-pager", "--priority=notice", "--lines=50"]);
    return new Error(
      [`${argv.join(" ")} ended with ${status}`, stdout, stderr, journal.stdout, journal.stderr].join("\n"),
    );
  }
}

async function end(holder: ChildProcess): Promise<void> {
  if (holder.exitCode !== null || holder.signalCode !== null) return;
  const gone = once(holder, "exit");
  holder.kill("SIGKILL");
  await gone;
}

/** Deepest first, as soon as the kernel has let the last process of it go. */
async function removeCgroup(dir: string): Promise<void> {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(dir, entry.name));
  }
  for (;;) {
    try {
      return fs.rmdirSync(dir);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function must(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

function controllersHere(): "v1" | "v2" | undefined {
  if (V1_HIERARCHIES.every((name) => fs.existsSync(`${CGROUP_DIR}/${name}/tasks`))) return "v1";
  try {
    const given = fs.readFileSync(`${CGROUP_DIR}/cgroup.subtree_control`, "utf8").trim().split(" ");
    return given.includes("memory") && given.includes("pids") ? "v2" : undefined;
  } catch {
    return undefined;
  }
}
