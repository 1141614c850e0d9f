import { octal } from "@agentbus/core";
import { requireRoot } from "./apply/apply.js";
import { withLock } from "./apply/lock.js";
import { Ledger } from "./ledger.js";
import type { Machine } from "./machine.js";
import type { Setup } from "./setup.js";
import { setOwnerAndMode } from "./system/root-file.js";

/** A person's home that is open to accounts that are neither the person nor in its group. */
export interface OpenHome {
  readonly human: string;
  readonly path: string;
  readonly mode: number;
}

const OTHERS = 0o007;
const GROUP_AND_OTHERS = 0o077;

/** Homes of the file's humans that every agent can enter or list, as Debian's default mode lets everybody. */
export async function openHomes({ humans }: Setup, machine: Machine): Promise<OpenHome[]> {
  const homes = humans.map(async ({ name }) => {
    const path = (await machine.user(name))?.home ?? "";
    const stat = path === "" ? undefined : machine.stat(path);
    return stat?.isDirectory() === true && (stat.mode & OTHERS) !== 0
      ? [{ human: name, path, mode: stat.mode & 0o7777 }]
      : [];
  });
  return (await Promise.all(homes)).flat();
}

/**
 * Closes a home to all but its owner, and notes what its mode was: removal of everything gives that back.
 * @throws BusError ERR_ACCESS, ERR_SETUP_CONFLICT; UnsafePath where others could exchange it
 */
export async function closeHome(machine: Machine, { human, path, mode }: OpenHome): Promise<void> {
  requireRoot(machine, "verify");
  await withLock(machine, async () => {
    const stat = machine.stat(path);
    if (stat === undefined) return;
    const undo = ["chmod", octal(mode), path];
    await Ledger.read(machine).note({ key: `home:${human}`, how: "changed", before: octal(mode), undo });
    setOwnerAndMode(path, { uid: stat.uid, gid: stat.gid, mode: mode & ~GROUP_AND_OTHERS });
  });
}
