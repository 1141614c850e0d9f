import { BusError } from "@agentbus/core";
import { requireRoot } from "../apply/apply.js";
import { Ledger, type Origin } from "../ledger.js";
import type { Machine } from "../machine.js";
import { DRAFT_SUFFIX, GIT_CONFIG, SHELL_FILES, XDG_GIT_CONFIG } from "../plan/home-files.js";
import { gitKey, homeDirectoryPrefix, homeFilePrefix } from "../plan/old-values.js";
import { become } from "../system/become.js";
import { giveBackEnvironment } from "./environment-file.js";
import { giveBackGit } from "./git-identity.js";
import { Home } from "./home.js";
import { takeOutBlock } from "./shell-file.js";

/**
 * Takes out of the home of an account that was taken over what setup has put there, as that account: this process becomes it, for good. Goes
 * by the ledger; what the account has changed since stays. Done again, it changes nothing.
 * @param say told what stays, and what to do about it
 * @throws BusError ERR_ACCESS (needs root), ERR_ACCOUNT
 */
export async function giveBackHome(machine: Machine, name: string, say: (note: string) => void): Promise<void> {
  requireRoot(machine, `give-back ${name}`);
  const ledger = Ledger.read(machine);
  const entry = ledger.find(`account:${name}`);
  const account = await machine.user(name);
  if (account === undefined || account.uid === 0 || entry?.how !== "adopted" || entry.id !== account.uid) {
    throw new BusError("ERR_ACCOUNT", `cannot give back the home of ${name}: setup has not taken over that account`, {
      fix: "agentbus setup list shows the accounts that it knows",
    });
  }
  const old = oldContents(ledger.entries, name, account.uid);
  become(account);
  const home = new Home(account, old.links, say);
  for (const path of SHELL_FILES) {
    home.removeDraft(`${path}${DRAFT_SUFFIX}`);
    home.attempt(path, "look at it, and take setup's lines out of it", () =>
      takeOutBlock(home, path, old.files.get(path)),
    );
  }
  home.attempt(GIT_CONFIG, "look at it with git config --global --list", () =>
    giveBackGit(home, old.git, (path) => old.files.get(path)),
  );
  for (const [path, origin] of old.files) {
    if (isOfOthers(path)) continue;
    home.attempt(path, "look at it, and remove it if it is not needed", () => giveBackEnvironment(home, path, origin));
  }
  for (const path of old.directories) home.removeEmptyDirectory(path);
}

interface OldContents {
  readonly files: ReadonlyMap<string, Origin>;
  readonly git: ReadonlyMap<string, Origin>;
  /** Those that setup has made, the deepest first. */
  readonly directories: readonly string[];
  /** Directories that were links before. */
  readonly links: ReadonlySet<string>;
}

function oldContents(entries: readonly Origin[], name: string, uid: number): OldContents {
  const own = entries.filter(({ agent, id }) => agent === name && id === uid);
  const below = (prefix: string) =>
    own.flatMap((origin) =>
      origin.key.startsWith(prefix) ? [[origin.key.slice(prefix.length), origin] as const] : [],
    );
  const directories = below(homeDirectoryPrefix(name));
  const made = directories.flatMap(([path, { how }]) => (how === "made" ? [path] : []));
  return {
    files: new Map(below(homeFilePrefix(name))),
    git: new Map(below(gitKey(name, ""))),
    directories: made.sort((a, b) => b.split("/").length - a.split("/").length),
    links: new Set(directories.flatMap(([path, { before }]) => (before === "link" ? [path] : []))),
  };
}

/** All others are environment files: agentbus.json may have named several in the course of time. */
function isOfOthers(path: string): boolean {
  return [...SHELL_FILES, GIT_CONFIG, XDG_GIT_CONFIG].some((other) => other === path);
}
