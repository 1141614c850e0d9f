import fs from "node:fs";
import { dirname } from "node:path";
import { asRoot, shellQuote } from "../shell-command.js";
import { isTypeWithoutEvents } from "../watch/filesystem-types.js";
import type { ExaminedSpool } from "./examined.js";
import { finding, type Finding, type Severity } from "./finding.js";
import { isAtOrBelow, mountOf, readMounts, type Mount } from "./mount-table.js";

const CHECK = "mounts";
/** They keep no owners, or show whichever ones whoever mounted them likes. */
const WITHOUT_OWNERS =
  /^(?:vfat|msdos|exfat|ntfs|ntfs3|drvfs|9p|vboxsf|fuse|fuseblk|fuse\.(?!fuse-overlayfs$).*|macfuse|osxfuse)$/;
const HARDENING = ["nosuid", "nodev", "noexec"];

/** The filesystem that the spool is on, and what is mounted inside of it. */
export function examineMounts(spool: ExaminedSpool): Finding[] {
  const mounts = readMounts(spool.machine);
  const path = realPathOf(spool.path);
  const inner = mounts.filter(({ dir }) => dir !== path && isAtOrBelow(dir, path));
  const mount = mountOf(mounts, path);
  return [
    ...inner.map((each) => mountedInside(each)),
    ...(mount === undefined ? [] : examineMount(spool, mount, path)),
  ];
}

/** @param path the spool's, without symbolic links */
export function examineMount(spool: Subject, mount: Mount, path = spool.path): Finding[] {
  return [...examineKind(spool, mount), ...examineOptions(spool, mount, path)];
}

type Subject = Pick<ExaminedSpool, "path" | "kind" | "group">;

/** link(2) does not cross filesystems, and what FUSE shows is whatever its process likes. */
function mountedInside({ dir, type }: Mount): Finding {
  const quoted = shellQuote(dir);
  const message = `${quoted} is a mount (${type}) inside the spool: nothing can be linked into it, and its owner decides what it shows`;
  return finding("error", CHECK, message, { path: dir, fix: asRoot(`umount ${quoted}`) });
}

function examineKind(spool: Subject, mount: Mount): Finding[] {
  const about = aboutMount(mount);
  const findings: Finding[] = [];
  if (mount.options.has("noowners")) {
    const message = "ignores who owns a file, so every message would seem to be its reader's own";
    findings.push(about("error", message, asRoot(`diskutil enableOwnership ${shellQuote(mount.dir)}`)));
  } else if (spool.kind === "group" && WITHOUT_OWNERS.test(mount.type)) {
    const message = "does not vouch for who owns a file, so nobody can tell who sent a message";
    findings.push(about("error", message, elsewhere(spool)));
  }
  if (isWithoutEvents(spool)) {
    const message = "does not report what others change, so subscribers look again and again instead of being woken";
    findings.push(about("warning", message, elsewhere(spool)));
  }
  if (mount.type === "tmpfs") findings.push(about("info", "is in memory: messages do not survive a reboot"));
  return findings;
}

function examineOptions(spool: Subject, mount: Mount, path: string): Finding[] {
  const about = aboutMount(mount);
  const quoted = shellQuote(mount.dir);
  if (mount.options.has("ro") || mount.options.has("read-only")) {
    return [about("error", "is mounted read-only", asRoot(`mount -o remount,rw ${quoted}`))];
  }
  if (spool.kind === "personal") return [];
  if (mount.dir !== path && mount.dir !== dirname(path)) {
    const message =
      "holds more than the bus, so a member who fills the spool fills that too; one of its own, mounted nosuid,nodev,noexec, would bound it";
    return [about("info", message)];
  }
  const lacking = HARDENING.filter((option) => !mount.options.has(option)).join(",");
  if (lacking === "") return [];
  const message = `is mounted without ${lacking}, which nothing in a spool needs`;
  return [about("info", message, asRoot(`mount -o remount,${lacking} ${quoted}`))];
}

function aboutMount({ type, dir }: Mount): (severity: Severity, what: string, fix?: string) => Finding {
  return (severity, what, fix) =>
    finding(severity, CHECK, `the filesystem that the spool is on, ${shellQuote(dir)} (${type}), ${what}`, {
      path: dir,
      fix,
    });
}

function elsewhere({ kind, group }: Subject): string {
  return kind === "group"
    ? `${asRoot(`env AGENTBUS_ROOT=/var/spool/agentbus agentbus init --group ${group ?? ""}`)}, on a local filesystem`
    : "export XDG_STATE_HOME=DIRECTORY, on a local filesystem";
}

function isWithoutEvents({ path }: Subject): boolean {
  try {
    return process.platform === "linux" && isTypeWithoutEvents(fs.statfsSync(path).type);
  } catch {
    return false;
  }
}

function realPathOf(path: string): string {
  try {
    return fs.realpathSync(path);
  } catch {
    return path;
  }
}
