import fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { BusError, octal, shellQuote } from "@agentbus/core";
import type { Machine } from "../machine.js";
import { asRoot } from "../own-command.js";

const MAX_LINKS = 40;

/**
 * What root does with a file, whoever can write to it does as root. So the file, each directory and each link on the way to it must belong to
 * root or to whoever called sudo or doas, and nobody else may write to them: an agent that runs in a project's directory could put another in its place.
 * Judged from the root on, so that what is judged cannot be exchanged by then.
 * @throws BusError ERR_SETUP_FILE
 */
export async function requireTrustedFile(path: string, machine: Machine): Promise<void> {
  if (machine.access !== "root") return;
  const [users, groups] = [await machine.users(), await machine.groups()];
  const { SUDO_UID, DOAS_USER } = process.env;
  const caller = SUDO_UID === undefined ? users.find(({ name }) => name === DOAS_USER)?.uid : Number(SUDO_UID);
  const isTrusted = (uid: number) => uid === 0 || uid === caller;
  const isTrustedGroup = (gid: number) => {
    const members = groups.filter((group) => group.gid === gid).flatMap((group) => group.members);
    const inIt = users.filter((user) => user.gid === gid || members.includes(user.name));
    return gid === 0 || inIt.every(({ uid }) => isTrusted(uid));
  };
  for (const { place, stat } of wayTo(resolve(path))) {
    if (!isTrusted(stat.uid)) {
      const owner = users.find(({ uid }) => uid === stat.uid)?.name ?? `uid ${stat.uid}`;
      throw refusal(path, `${place} belongs to ${owner}`);
    }
    const isSticky = stat.isDirectory() && (stat.mode & 0o1000) !== 0;
    if (stat.isSymbolicLink() || isSticky) continue;
    if ((stat.mode & 0o002) !== 0 || ((stat.mode & 0o020) !== 0 && !isTrustedGroup(stat.gid)))
      throw refusal(path, `${place} has mode ${octal(stat.mode)}, so that others may write to it`);
  }
}

/** All that decides where a path leads, in the order in which the kernel looks at it; it ends where there is nothing. */
function* wayTo(path: string): Generator<{ place: string; stat: fs.Stats }> {
  let place = "/";
  let rest = path.split("/");
  for (let links = 0; ;) {
    const stat = statOf(place);
    if (stat === undefined) return;
    yield { place, stat };
    if (stat.isSymbolicLink() && links++ < MAX_LINKS) {
      const target = fs.readlinkSync(place);
      rest = [...target.split("/"), ...rest];
      place = target.startsWith("/") ? "/" : dirname(place);
    }
    const next = rest.findIndex((name) => name !== "" && name !== ".");
    if (next === -1) return;
    place = join(place, rest[next] ?? "");
    rest = rest.slice(next + 1);
  }
}

/** undefined: there is nothing that could be read. */
function statOf(place: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(place);
  } catch {
    return undefined;
  }
}

function refusal(path: string, why: string): BusError {
  const own = "/etc/agentbus.json";
  const copy = asRoot(`install -m 0644 ${shellQuote(path)} ${own}`);
  return new BusError("ERR_SETUP_FILE", `root does not go by ${path}: ${why}, who would be root by that`, {
    path,
    fix: `look at it, and use a copy that is root's: ${copy}; agentbus setup plan ${own}`,
  });
}
