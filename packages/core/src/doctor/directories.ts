import type { Stats } from "node:fs";
import { isShutDropBox, modeIn, octal, PATHS, ruleForDirectory, type PathRule } from "../permissions.js";
import { rightsBeyond } from "../rights.js";
import { shellQuote } from "../shell-command.js";
import type { ExaminedSpool } from "./examined.js";
import { finding, type Finding } from "./finding.js";

/**
 * Every directory that the table knows: whether it is there, is a directory, belongs to whom it should, and gives the rights
 * that the table gives.
 */
export async function examineDirectories(spool: ExaminedSpool): Promise<Finding[]> {
  return visit(spool, "", spool.uid);
}

/** Whose a directory should be; a queue may be any member's. */
type Owner = number | "anybody";

const SETGID = 0o2000;
const DIRECTORIES = PATHS.filter((rule) => rule.type === "directory");
const FILES = new Set(PATHS.filter((rule) => rule.type === "file").map((rule) => rule.path));
/** In these only what the table names has a place; the others are their owners' own business. */
const STRICT = new Set(["", "subscriptions/", "queues/", "outbox/", "run/", "pipes/"]);
/** What every directory of a kind has in it. */
const PARTS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^$/, ["schemas", "subscriptions", "queues", "outbox", "run", "pipes"]],
  [/^(?:subscriptions|queues)\/[^/]+\/$/, ["new", "cur", "retry", "dead"]],
];

/** @param dir relative to the spool, "" or with "/" at its end */
async function visit(spool: ExaminedSpool, dir: string, owner: Owner): Promise<Finding[]> {
  const rule = ruleForDirectory(dir || "./");
  const stat = spool.statOf(dir);
  if (rule === undefined || stat === undefined) return [];
  await spool.machine.accounts.findUser(stat.uid);
  await spool.machine.accounts.findGroup(stat.gid);
  const obstacle = judgeKind(spool, dir, stat) ?? judgeOwner(spool, dir, stat, rule, owner);
  if (obstacle !== undefined && (rule.owner !== "root" || !stat.isDirectory())) return [obstacle];
  const findings = [...judgeMode(spool, dir, stat, rule), ...judgeGroup(spool, dir, stat, rule)];
  if (obstacle !== undefined) findings.unshift(obstacle);
  const names = DIRECTORIES.some(({ path }) => parentOf(path) === rule.path) ? spool.namesIn(dir) : undefined;
  if (names === undefined) return findings;
  const parts = PARTS.find(([pattern]) => pattern.test(dir))?.[1] ?? [];
  findings.push(...parts.filter((part) => !names.includes(part)).map((part) => missing(spool, dir, stat, part)));
  for (const name of names.filter((each) => !each.startsWith("."))) {
    // sockets.lock is a file, and has the name of a process's lock, which is a directory.
    if (FILES.has(`${rule.path}${name}`)) continue;
    if (ruleForDirectory(`${dir}${name}/`) !== undefined)
      findings.push(...(await enter(spool, `${dir}${name}/`, owner)));
    else if (STRICT.has(dir) && !FILES.has(`${dir}${name}`)) findings.push(...foreign(spool, dir, name));
  }
  return findings;
}

/** Visits a directory that may be another account's than the one that it is in. */
async function enter(spool: ExaminedSpool, dir: string, parentOwner: Owner): Promise<Finding[]> {
  if (/^queues\/[^/]+\/$/.test(dir)) return [...(await orphaned(spool, dir)), ...(await visit(spool, dir, "anybody"))];
  const user = /^subscriptions\/([^/~]+)~[^/]+\/$/.exec(dir)?.[1] ?? /^(?:outbox|run|pipes)\/([^/]+)\/$/.exec(dir)?.[1];
  if (user === undefined) return visit(spool, dir, parentOwner);
  const uid = await spool.machine.accounts.findUid(user);
  if (dir === `pipes/${user}/` && uid !== 0) {
    const stat = spool.statOf(dir);
    const isShut = stat !== undefined && isShutDropBox(stat);
    if (spool.isBarredFromPipes(user) || isShut) return judgeShut(spool, dir, user, isShut);
  }
  if (uid !== undefined) return visit(spool, dir, uid);
  return [leftover(spool, dir, user)];
}

/** Where an account that may use no pipes would have its drop box, root has one that nobody gets into. */
function judgeShut(spool: ExaminedSpool, dir: string, user: string, isShut: boolean): Finding[] {
  if (isShut && spool.isBarredFromPipes(user)) return [];
  const path = String(spool.pathOf(dir));
  const message = isShut
    ? `${shellQuote(path)} is shut, and ${user} may use pipes`
    : `${shellQuote(path)} is not root's alone, and ${user} may use no pipes`;
  return [finding("error", "owners", message, { path, fix: spool.initCommand })];
}

/** A queue whose maker's account was removed. */
async function orphaned(spool: ExaminedSpool, dir: string): Promise<Finding[]> {
  const uid = spool.statOf(dir)?.uid;
  const user = uid === undefined ? undefined : await spool.machine.accounts.findUser(uid);
  return user === undefined || user !== `uid${uid}` ? [] : [leftover(spool, dir, user)];
}

function leftover(spool: ExaminedSpool, dir: string, user: string): Finding {
  const path = spool.pathOf(dir);
  const quoted = shellQuote(path);
  const message = `${quoted} is that of ${user}, an account that does not exist: who gets its uid next gets what is in it`;
  return finding("warning", "accounts", message, { path: String(path), fix: spool.asKeeper(`rm -r ${quoted}`) });
}

function judgeKind(spool: ExaminedSpool, dir: string, stat: Stats): Finding | undefined {
  if (stat.isDirectory()) return undefined;
  const path = shellQuote(spool.pathOf(dir));
  const what = stat.isSymbolicLink() ? "is a symbolic link" : "is no directory";
  return finding("error", "modes", `${path} ${what}`, { path: String(spool.pathOf(dir)), fix: removal(spool, dir) });
}

function judgeOwner(spool: ExaminedSpool, dir: string, stat: Stats, rule: PathRule, owner: Owner): Finding | undefined {
  if (owner === "anybody" || stat.uid === owner) return undefined;
  const path = String(spool.pathOf(dir));
  const [actual, expected] = [spool.userName(stat.uid), spool.userName(owner)];
  if (rule.owner === "root") {
    const message = `${shellQuote(path)} belongs to ${actual}, not to ${expected}: ${actual} may take its parts away`;
    return finding("error", "owners", message, { path, fix: spool.initCommand });
  }
  const message = `${shellQuote(path)} belongs to ${actual}, not to ${expected}: it counts for nothing, and keeps ${expected} from using that name`;
  return finding("error", "owners", message, { path, fix: removal(spool, dir) });
}

function judgeMode(spool: ExaminedSpool, dir: string, { mode, uid }: Stats, rule: PathRule): Finding[] {
  const wanted = modeIn(spool.kind, rule);
  // A lock that can be listed harms nobody; one that others can fill cannot be released.
  if (dir.endsWith(".lock/") && (mode & 0o022) === 0) return [];
  const difference = differenceOf(rule, mode, wanted);
  if (difference === undefined) return [];
  const path = String(spool.pathOf(dir));
  const message = `${shellQuote(path)} has mode ${octal(mode)} instead of ${octal(wanted)}: ${difference}`;
  const command = `chmod ${octal(wanted)} ${shellQuote(path)}`;
  const fix = rule.owner === "root" ? spool.initCommand : spool.asOwner(uid, command);
  return [finding("error", "modes", message, { path, fix })];
}

/** What a mode means that is not the table's; undefined where it makes no difference. */
function differenceOf(rule: PathRule, actual: number, wanted: number): string | undefined {
  const more = [...rightsBeyond(rule.type, actual, wanted)].map(
    ([role, rights]) => `${ROLES[role]} may ${rights.join(", ")}`,
  );
  const less = [...rightsBeyond(rule.type, wanted, actual)].map(
    ([role, rights]) => `${ROLES[role]} cannot ${rights.join(", ")}`,
  );
  const group = (wanted & SETGID) !== 0 && (actual & SETGID) === 0 ? ["what is made in it gets the wrong group"] : [];
  return [...more, ...less, ...group].join("; ") || undefined;
}

const ROLES = { owner: "its owner", member: "every member of its group", outsider: "everybody" } as const;

function judgeGroup(spool: ExaminedSpool, dir: string, { gid, uid }: Stats, rule: PathRule): Finding[] {
  const isForGroup = (rule.mode & (SETGID | 0o070)) !== 0;
  if (spool.kind === "personal" || gid === spool.gid || !isForGroup) return [];
  const path = String(spool.pathOf(dir));
  const [actual, group] = [spool.groupName(gid), spool.groupName(spool.gid)];
  const message = `${shellQuote(path)} belongs to group ${actual}, not to ${group}: what is in it cannot be read by who should`;
  const command = `chgrp ${group} ${shellQuote(path)}`;
  const fix = rule.owner === "root" ? spool.initCommand : spool.asOwner(uid, command);
  return [finding("error", "groups", message, { path, fix })];
}

function missing(spool: ExaminedSpool, dir: string, parent: Stats, name: string): Finding {
  const path = `${String(spool.pathOf(dir))}/${name}`;
  const rule = ruleForDirectory(`${dir}${name}/`);
  const command = `mkdir -m ${octal(modeIn(spool.kind, rule ?? { type: "directory", mode: 0o700 }))} ${shellQuote(path)}`;
  const fix = dir === "" ? spool.initCommand : spool.asOwner(parent.uid, command);
  return finding("error", "modes", `${shellQuote(path)} is missing`, { path, fix });
}

function foreign(spool: ExaminedSpool, dir: string, name: string): Finding[] {
  if (dir === "" && name === "lost+found") return []; // Of a filesystem of its own.
  const stat = spool.statOf(`${dir}${name}`);
  if (stat === undefined) return [];
  const path = shellQuote(spool.pathOf(`${dir}${name}`));
  const message = `${path} is no part of a spool; ${spool.userName(stat.uid)} owns it`;
  return [
    finding("warning", "foreign", message, { path: String(spool.pathOf(dir)), fix: removal(spool, `${dir}${name}`) }),
  ];
}

/** Directly in the spool's own directories root may remove a thing; below, only who owns the directory that it is in. */
function removal(spool: ExaminedSpool, name: string): string {
  const command = `rm -r ${shellQuote(spool.pathOf(name))}`;
  const segments = name.replace(/\/$/, "").split("/");
  if (segments.length <= 2) return spool.asKeeper(command);
  const owner = spool.statOf(segments.slice(0, -1).join("/"))?.uid ?? spool.uid;
  return spool.asOwner(owner, command);
}

/** "a/b/" of "a/b/c/"; "./" of "a/". */
function parentOf(path: string): string {
  return path === "./" ? "" : path.replace(/[^/]+\/$/, "") || "./";
}
