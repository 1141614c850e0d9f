import { octal } from "@agentbus/core";
import { requireRoot } from "./apply/apply.js";
import { withLock } from "./apply/lock.js";
import { CLOSED_HOME, closedMode } from "./closed-home.js";
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
    const closed = closedMode(mode);
    const undo = ["chmod", octal(mode), path];
    const values = { before: octal(mode), set: [octal(closed)], undo };
    await Ledger.read(machine).note({ key: `${CLOSED_HOME}${human}`, how: "changed", ...values });
    setOwnerAndMode(path, { uid: stat.uid, mode: closed });
  });
}
