import type { Machine } from "../machine.js";

const MAX_PATHS = 50;
const TIMEOUT_MS = 600_000;

/** Files of a uid anywhere on this machine's own filesystems. They are left: its number is retired, so nobody inherits them. */
export async function filesOf(machine: Machine, uid: number): Promise<{ paths: string[]; more: boolean }> {
  // busybox's find knows no types of filesystems.
  if (machine.flavour.accountTools === "busybox")
    return listed(
      (await machine.run(["find", "/", "-xdev", "-user", String(uid), "-print0"], { timeoutMs: TIMEOUT_MS })).stdout,
    );
  const others = ["proc", "sysfs", "devtmpfs", "cgroup2", "nfs", "nfs4", "cifs", "fuse.sshfs", "9p"];
  const skip = others.flatMap((type, index) => [...(index === 0 ? [] : ["-o"]), "-fstype", type]);
  const argv = ["find", "/", "(", ...skip, ")", "-prune", "-o", "-user", String(uid), "-print0"];
  return listed((await machine.run(argv, { timeoutMs: TIMEOUT_MS })).stdout);
}

function listed(stdout: string): { paths: string[]; more: boolean } {
  const paths = stdout.split("\0").filter((path) => path !== "");
  return { paths: paths.slice(0, MAX_PATHS), more: paths.length > MAX_PATHS };
}
