import { stateDir } from "../ledger.js";
import type { Machine } from "../machine.js";
import type { Change } from "../plan/change.js";
import { quoteWord } from "../plan/shell-word.js";
import { processesId } from "./lock-out.js";
import type { Removing } from "./plan-removal.js";

/** archive: packed into a file that only root reads, then deleted. */
export type HomeFate = "archive" | "delete" | "keep";

/**
 * Packs and deletes a home. Its agent has no process any more by now, but whatever it planted is there: tar and rm neither follow
 * links within nor leave the filesystem.
 * @param home as the account says; undefined: the account is gone already, and it is where setup puts homes
 */
export function homeRemoval(
  { machine, options, notes }: Removing,
  name: string,
  uid: number,
  home = `${machine.flavour.homesDir}/${name}`,
): Change[] {
  const stat = machine.stat(home);
  if (stat === undefined) return [];
  if (!stat.isDirectory() || stat.uid !== uid) {
    notes.push(`${home} is not a directory of uid ${uid}, and stays: look at it with ls -ld ${home}`);
    return [];
  }
  if (options.home === "keep") {
    notes.push(`${home} stays, with files of uid ${uid}: chown it, or remove it, when you are done with it`);
    return [];
  }
  const archive = options.home === "delete" ? [] : archiving(machine, name, home, options.at);
  const deletion: Change = {
    id: `${name}/home-removed`,
    title: `delete ${home}`,
    action: { kind: "run", argv: deletionOf(machine, [home]) },
    // What could not be packed is still there to be packed by the next removal.
    needs: [processesId(name), ...archive.map(({ id }) => id)],
    hasTakenEffect: (on) => Promise.resolve(on.stat(home) === undefined),
  };
  return [...archive, deletion];
}

/**
 * Written aside, and given its name when it is whole. That name nobody has: a removal that was stopped while it deleted the home has left an
 * archive that holds more than what there is now. Its directory is nobody's but root's, whatever is in the homes.
 */
function archiving(machine: Machine, name: string, home: string, at: Date): Change[] {
  const dir = `${stateDir(machine.flavour)}/homes`;
  const archive = freeName(machine, `${dir}/${name}-${at.toISOString().replaceAll(/[-:]/g, "").replace(/\..*/, "Z")}`);
  const parent = home.slice(0, home.lastIndexOf("/")) || "/";
  const directory = home.slice(home.lastIndexOf("/") + 1);
  const options = tarOptions(machine);
  const script = [
    "set -eu; umask 077",
    'mkdir -p -m 0700 "$1"; chmod 0700 "$1"',
    // What was stopped while it packed has left a part.
    'rm -f "$1/$4"-*.part',
    "target=$2 parent=$3 home=$4; shift 4",
    'tar "$@" -C "$parent" -czf "$target.part" -- "$home" || { rm -f "$target.part"; exit 1; }',
    'ln "$target.part" "$target"; rm -f "$target.part"',
  ].join("\n");
  return [
    {
      id: `${name}/home-archived`,
      title: `pack ${home} into ${archive}`,
      action: {
        kind: "run",
        argv: ["sh", "-c", script, "sh", dir, archive, parent, directory, ...options],
        inShort: [
          `$ tar ${[...options, "-C", quoteWord(parent), "-czf", archive, "--", quoteWord(directory)].join(" ")}    # for root alone`,
        ],
        timeoutMs: 3_600_000,
      },
      needs: [processesId(name)],
      hasTakenEffect: (on) => Promise.resolve(on.stat(archive)?.isFile() === true),
    },
  ];
}

function freeName(machine: Machine, base: string): string {
  let path = `${base}.tar.gz`;
  for (let number = 2; machine.stat(path) !== undefined; number++) path = `${base}-${number}.tar.gz`;
  return path;
}

/**
 * A file of terabytes that holds nothing (truncate(1)) costs its owner nothing, and would keep tar busy for hours. macOS's tar looks for
 * holes by itself; busybox's knows neither option.
 */
function tarOptions({ flavour }: Machine): string[] {
  if (flavour.accountTools === "busybox") return [];
  return ["--one-file-system", ...(flavour.platform === "linux" ? ["--sparse"] : [])];
}

/**
 * rm of coreutils and of macOS go by descriptors, so nothing leads them elsewhere. On macOS an owner can make a file that even root
 * cannot remove, by a flag or an entry of an ACL: both are taken away before.
 */
export function deletionOf({ flavour }: Machine, paths: readonly string[]): string[] {
  if (flavour.platform === "darwin") {
    const script = 'chflags -R nouchg,nouappnd "$@"; chmod -R -N "$@"; rm -rfx -- "$@"';
    return ["sh", "-c", script, "sh", ...paths];
  }
  const within = flavour.accountTools === "busybox" ? [] : ["--one-file-system"];
  return ["rm", "-rf", ...within, "--", ...paths];
}
