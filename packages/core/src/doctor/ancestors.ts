import type { Stats } from "node:fs";
import { ancestorsOf, weakAncestors, type WeakAncestor } from "../ancestors.js";
import { octal } from "../permissions.js";
import { asRoot, shellQuote } from "../shell-command.js";
import type { ExaminedSpool } from "./examined.js";
import { finding, type Finding } from "./finding.js";

const CHECK = "ancestors";

/** The directories above the spool: whoever can replace one of them can replace the spool. */
export function examineAncestors(spool: ExaminedSpool): Finding[] {
  const weak = weakAncestors(spool.machine.fileSystem, spool.path);
  // Root must not be told to change modes where somebody else could turn the path elsewhere.
  const reach = weak.some(({ who }) => who === "owner") ? [] : examineReach(spool);
  return [...weak.map((ancestor) => describe(spool, ancestor)), ...reach];
}

function describe(spool: ExaminedSpool, { path, uid, gid, mode, who }: WeakAncestor): Finding {
  const quoted = shellQuote(path);
  const danger = "can put another directory in the spool's place";
  if (who === "owner") {
    const message = `${quoted} above the spool belongs to ${spool.userName(uid)}, who ${danger}`;
    return finding("error", CHECK, message, { path, fix: moving(spool) });
  }
  const culprit = who === "anybody" ? "anybody" : `any member of group ${spool.groupName(gid)}`;
  const message = `${quoted} above the spool has mode ${octal(mode)}: ${culprit} ${danger}`;
  const command = `chmod ${who === "anybody" ? "o-w" : "g-w"} ${quoted}`;
  return finding("error", CHECK, message, { path, fix: uid === process.geteuid?.() ? command : asRoot(command) });
}

/** Where only root can change anything; one's own may be anywhere that is one's own. */
function moving({ kind, path, group }: ExaminedSpool): string {
  if (kind === "personal") return 'export XDG_STATE_HOME="$HOME/.local/state"';
  const target = `/var/spool/agentbus/${group ?? ""}`;
  return `${asRoot("install -d -m 0755 /var/spool/agentbus")} && ${asRoot(`mv ${shellQuote(path)} ${target}`)}`;
}

/** A group's members must be able to enter all of them. */
function examineReach(spool: ExaminedSpool): Finding[] {
  if (spool.kind === "personal") return [];
  return ancestorsOf(spool.path).flatMap((path) => {
    const stat = lstatOf(spool, path);
    if (stat === undefined || !stat.isDirectory()) return [];
    if ((stat.mode & 0o001) !== 0 || (stat.gid === spool.gid && (stat.mode & 0o010) !== 0)) return [];
    const message = `${shellQuote(path)} above the spool has mode ${octal(stat.mode)}, so its members cannot get there`;
    return [finding("error", CHECK, message, { path, fix: asRoot(`chmod o+x ${shellQuote(path)}`) })];
  });
}

function lstatOf({ machine }: ExaminedSpool, path: string): Stats | undefined {
  try {
    return machine.fileSystem.lstat(path);
  } catch {
    return undefined;
  }
}
