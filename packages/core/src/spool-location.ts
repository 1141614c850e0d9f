import fs from "node:fs";
import { userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import type { Accounts } from "./accounts.js";
import { BusError, errnoOf, fromErrno } from "./errors.js";
import type { FileSystem } from "./file-system.js";
import { membershipOf, noAccess } from "./membership.js";
import { agentbusAsRoot, shellQuote } from "./shell-command.js";
import { SPOOL_FILE, type SpoolPlace } from "./spool-file.js";
import { isUserName } from "./topics.js";

/** Which spool, as a caller says it. At most one of the two; with neither, the environment or what is there decides. */
export interface SpoolChoice {
  /** A path; a relative one starts at the current directory. */
  readonly spool?: string | undefined;
  /** The Unix group whose spool, under `AGENTBUS_ROOT`, it is. */
  readonly group?: string | undefined;
}

export interface SpoolLocation extends SpoolPlace {
  /** This account's own spool, which is made on first use. */
  readonly isPersonal: boolean;
}

interface Services {
  readonly fileSystem: FileSystem;
  readonly accounts: Accounts;
  /** @default process.platform */
  readonly platform?: NodeJS.Platform | undefined;
}

/** Where the spools of groups are, unless `AGENTBUS_ROOT` names another place. */
const DEFAULT_ROOT = "/var/spool/agentbus";

/**
 * Which spool to use: the caller's choice, then `AGENTBUS_SPOOL` (a path), then `AGENTBUS_GROUP` (under `AGENTBUS_ROOT`), then the
 * only spool of a group that this process may use, then the account's personal one. Whether it is there, and can be
 * trusted, is for `readSpool` to say.
 *
 * @throws TypeError for a choice that cannot be one; BusError ERR_PLATFORM, ERR_SPOOL_AMBIGUOUS, ERR_SPOOL_NOT_FOUND, ERR_ACCESS
 */
export async function locateSpool(
  choice: SpoolChoice,
  env: NodeJS.ProcessEnv,
  services: Services,
): Promise<SpoolLocation> {
  requirePlatform(services.platform ?? process.platform);
  if (choice.spool !== undefined && choice.group !== undefined) {
    throw new TypeError("choose a spool by its path or by its group, not by both");
  }
  if (choice.spool !== undefined) return atPath(pathOf(choice.spool));
  if (choice.group !== undefined) return ofGroup(choice.group, env);
  const spool = absolutePath("AGENTBUS_SPOOL", env);
  if (spool !== undefined) return atPath(spool);
  const group = groupInEnvironment(env);
  if (group !== undefined) return ofGroup(group, env);
  const found = await findGroupSpool(spoolRoot(env), services);
  if (found !== undefined) return atPath(found);
  return { path: personalSpoolDir(env), isPersonal: true, initCommand: "agentbus init" };
}

/** `<root>/<group>`. @throws TypeError for what cannot be the name of a group */
export function groupSpoolDir(group: string, env: NodeJS.ProcessEnv): string {
  if (!isUserName(group)) throw new TypeError(`${JSON.stringify(group)} cannot be the name of a group`);
  return join(spoolRoot(env), group);
}

/** @throws BusError ERR_SPOOL_NOT_FOUND when `AGENTBUS_ROOT` is relative */
export function spoolRoot(env: NodeJS.ProcessEnv): string {
  return absolutePath("AGENTBUS_ROOT", env) ?? DEFAULT_ROOT;
}

/** `${XDG_STATE_HOME:-~/.local/state}/agentbus/personal`. @throws BusError ERR_SPOOL_NOT_FOUND for an account without a home */
export function personalSpoolDir(env: NodeJS.ProcessEnv): string {
  return join(stateDir(env), "agentbus", "personal");
}

/** A relative XDG path is to be ignored (XDG Base Directory Specification). */
function stateDir(env: NodeJS.ProcessEnv): string {
  const { XDG_STATE_HOME: stateHome, HOME: home } = env;
  if (stateHome !== undefined && isAbsolute(stateHome)) return resolve(stateHome);
  if (home !== undefined && isAbsolute(home)) return join(resolve(home), ".local", "state");
  try {
    return join(userInfo().homedir, ".local", "state");
  } catch (error) {
    throw new BusError("ERR_SPOOL_NOT_FOUND", "cannot choose a personal spool: this account has no home directory", {
      cause: error,
      fix: "set HOME, XDG_STATE_HOME or AGENTBUS_SPOOL to an absolute path",
    });
  }
}

function atPath(path: string): SpoolLocation {
  return { path, isPersonal: false, initCommand: `agentbus init --spool ${shellQuote(path)}` };
}

function ofGroup(group: string, env: NodeJS.ProcessEnv): SpoolLocation {
  const settings = env["AGENTBUS_ROOT"] ? [`AGENTBUS_ROOT=${shellQuote(spoolRoot(env))}`] : [];
  return {
    path: groupSpoolDir(group, env),
    isPersonal: false,
    initCommand: agentbusAsRoot(`init --group ${group}`, settings),
  };
}

export function pathOf(spool: string): string {
  if (spool === "" || spool.includes("\0"))
    throw new TypeError(`${JSON.stringify(spool)} cannot be the path of a spool`);
  return resolve(spool);
}

/** @throws BusError ERR_SPOOL_NOT_FOUND for what cannot be the name of a group */
export function groupInEnvironment(env: NodeJS.ProcessEnv): string | undefined {
  const group = env["AGENTBUS_GROUP"];
  if (group === undefined || group === "") return undefined;
  if (isUserName(group)) return group;
  throw new BusError(
    "ERR_SPOOL_NOT_FOUND",
    `cannot use AGENTBUS_GROUP=${shellQuote(group)}: no group has such a name`,
    {
      fix: "export AGENTBUS_GROUP=NAME, with the name of a group: id -Gn",
    },
  );
}

/** A relative path in the environment would be another spool in every directory, without anybody noticing. */
export function absolutePath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const value = env[name];
  if (value === undefined || value === "") return undefined;
  if (isAbsolute(value)) return resolve(value);
  throw new BusError("ERR_SPOOL_NOT_FOUND", `cannot use ${name}=${shellQuote(value)}: it is not an absolute path`, {
    path: value,
    fix: `export ${name}=${shellQuote(resolve(value.replace(/^~(?=\/|$)/, env["HOME"] ?? "~")))}`,
  });
}

export function requirePlatform(platform: NodeJS.Platform): void {
  if (platform !== "win32") return;
  throw new BusError(
    "ERR_PLATFORM",
    "cannot run on Windows: agentbus is made of Unix accounts, their groups and hard links",
    { fix: "run it inside WSL, on its own disk rather than under /mnt/c: wsl --install" },
  );
}

/**
 * The one spool under the root that this process may use; undefined when there is none. A spool that it could use but for an
 * old login is an error: falling back to the personal one would send messages where nobody looks for them.
 */
async function findGroupSpool(root: string, services: Services): Promise<string | undefined> {
  const usable: string[] = [];
  const shut: { path: string; gid: number }[] = [];
  for (const name of namesIn(root, services.fileSystem).filter(isUserName).sort()) {
    const path = join(root, name);
    const stat = directoryStat(path, services.fileSystem);
    if (stat === undefined) continue;
    const spoolFile = openability(join(path, SPOOL_FILE), services.fileSystem);
    if (spoolFile === "readable") usable.push(path);
    if (spoolFile === "denied") shut.push({ path, gid: stat.gid });
  }
  if (usable.length > 1) throw ambiguous(usable);
  if (usable.length === 1) return usable[0];
  for (const { path, gid } of shut) {
    if ((await membershipOf(gid, services.accounts)) === "not yet in force") {
      throw await noAccess(path, gid, services.accounts);
    }
  }
  return undefined;
}

function namesIn(root: string, fileSystem: FileSystem): string[] {
  try {
    return fileSystem.readdir(root);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "EACCES") return [];
    throw fromErrno(error, "look for spools in", root);
  }
}

function directoryStat(path: string, fileSystem: FileSystem): fs.Stats | undefined {
  try {
    const stat = fileSystem.lstat(path);
    return stat.isDirectory() ? stat : undefined;
  } catch {
    return undefined;
  }
}

/** By opening it: access(2) asks about the real user, not about the one that this process acts as. */
function openability(path: string, fileSystem: FileSystem): "readable" | "denied" | "absent" {
  try {
    fileSystem.close(fileSystem.open(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK));
    return "readable";
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EMFILE" || errno === "ENFILE") throw fromErrno(error, "open", path);
    return errno === "EACCES" || errno === "EPERM" ? "denied" : "absent";
  }
}

function ambiguous(paths: readonly string[]): BusError {
  const groups = paths.map((path) => path.slice(path.lastIndexOf("/") + 1));
  return new BusError(
    "ERR_SPOOL_AMBIGUOUS",
    `cannot tell which spool to use: this account may use ${paths.join(" and ")}`,
    {
      fix: `choose one: export AGENTBUS_GROUP=${groups[0] ?? ""} (or ${groups.slice(1).join(", ")}), or the option --group`,
      details: { paths, groups },
    },
  );
}
