import type { Machine } from "../machine.js";

const MAX_PATHS = 50;
const TIMEOUT_MS = 600_000;

/** Files of a uid anywhere on this machine's own filesystems. They are left: its number is retired, so nobody inherits them. */
export async function filesOf(machine: Machine, uid: number): Promise<{ paths: string[]; more: boolean }> {
  const others = ["proc", "sysfs", "devtmpfs", "cgroup2", "nfs", "nfs4", "cifs", "fuse.sshfs", "9p"];
  const skip = others.flatMap((type, index) => [...(index === 0 ? [] : ["-o"]), "-fstype", type]);
  const argv = ["find", "/", "(", ...skip, ")", "-prune", "-o", "-uid", String(uid), "-print0"];
  const { stdout } = await machine.run(argv, { timeoutMs: TIMEOUT_MS });
  const paths = stdout.split("\0").filter((path) => path !== "");
  return { paths: paths.slice(0, MAX_PATHS), more: paths.length > MAX_PATHS };
}
