import type { Origin } from "../ledger.js";
import type { Machine } from "../machine.js";
import type { Change } from "../plan/change.js";
import { pathOf, SPOOLS_DIR } from "../plan/plan-spool.js";
import { deletionOf } from "./remove-home.js";

/**
 * What an agent has in the spools: its subscriptions, outbox, sockets and pipes. Messages that it sent and that wait with others go
 * with its account, since nobody could say any more who sent them.
 */
export function agentSpoolRemoval(machine: Machine, name: string, uid: number, isOurs: boolean): Change[] {
  const changes: Change[] = [];
  for (const group of machine.list(SPOOLS_DIR) ?? []) {
    if (machine.stat(pathOf(group))?.isDirectory() !== true) continue;
    const leftovers = ownEntries(machine, group, name, uid);
    if (leftovers.length > 0) {
      changes.push({
        id: `${name}/spool-${group}`,
        title: `remove what ${name} has in the spool ${group}`,
        action: { kind: "run", argv: deletionOf(machine, leftovers) },
        hasTakenEffect: (on) => Promise.resolve(ownEntries(on, group, name, uid).length === 0),
      });
    }
    if (isOurs) changes.push(messageRemoval(group, name, uid));
  }
  return changes;
}

/** Only what is its own: what somebody else has made under its name is for the doctor to report. */
function ownEntries(machine: Machine, group: string, name: string, uid: number): string[] {
  const parents: readonly (readonly [string, (entry: string) => boolean])[] = [
    ["subscriptions", (entry) => entry.startsWith(`${name}~`)],
    ["outbox", (entry) => entry === name],
    ["run", (entry) => entry === name],
    ["pipes", (entry) => entry === name],
    ["queues", () => true],
  ];
  return parents.flatMap(([parent, isMeant]) => {
    const dir = pathOf(group, parent);
    const entries = machine.stat(dir)?.isDirectory() === true ? (machine.list(dir) ?? []) : [];
    return entries
      .filter((entry) => isMeant(entry) && machine.stat(`${dir}/${entry}`)?.uid === uid)
      .map((entry) => `${dir}/${entry}`);
  });
}

/** find -delete goes by descriptors, so nobody can lead it out of the spool. */
function messageRemoval(group: string, name: string, uid: number): Change {
  const find = ["find", pathOf(group), "-xdev", "-uid", String(uid)];
  return {
    id: `${name}/messages-${group}`,
    title: `remove what ${name} has sent in ${group} and nobody has taken`,
    action: { kind: "run", argv: [...find, "-delete"] },
    ifStill: true,
    hasTakenEffect: async (on) => {
      if (on.access !== "root") return false;
      const { stdout } = await on.run(find);
      return stdout.trim() === "";
    },
  };
}

/** A spool that setup made goes as a whole; one that was there before stays. */
export function spoolRemoval(machine: Machine, group: string, how: Origin["how"]): Change[] {
  const path = pathOf(group);
  if (how !== "made" || machine.stat(path) === undefined) return [];
  return [
    {
      id: `${group}/spool-removed`,
      title: `delete the spool ${path}, with all messages in it`,
      action: { kind: "run", argv: deletionOf(machine, [path]) },
      hasTakenEffect: (on) => Promise.resolve(on.stat(path) === undefined),
    },
  ];
}
