import { CHANNEL_KINDS } from "@agentbus/core";
import type { Origin } from "../ledger.js";
import type { Machine } from "../machine.js";
import type { Change } from "../plan/change.js";
import { initArguments, SPOOLS_DIR, spoolDirOf } from "../spool-place.js";
import { words } from "../plan/command-text.js";
import { BARRED, barPrefix, LIMIT } from "../plan/old-spool.js";
import { remembers } from "../plan/old-values.js";
import { barOption } from "../plan/plan-spool.js";
import { spoolFileOf } from "../plan/spool-drift.js";
import type { Removing } from "./plan-removal.js";
import { deletionOf } from "./remove-home.js";
import { valueBack } from "./value-back.js";

/**
 * What an agent has in the spools: its subscriptions, outbox, sockets and pipes. Messages that it sent and that wait with others go
 * with its account, since nobody could say any more who sent them.
 * @param groups of an account that stays: those that it leaves, and whose spools it cannot reach any more. In others it was before setup, and
 * goes on using them; its inbox there is one that the bus would make anyway.
 */
export function agentSpoolRemoval(removing: Removing, name: string, uid: number, groups?: readonly string[]): Change[] {
  const { machine, ledger } = removing;
  const changes: Change[] = [];
  for (const group of machine.list(SPOOLS_DIR) ?? []) {
    if (machine.stat(spoolDirOf(group))?.isDirectory() !== true) continue;
    const isRemembered = groups !== undefined && remembers(ledger, { name, uid });
    changes.push(...(isRemembered ? barsBack(removing, group, name) : unbarring(machine, group, name)));
    if (groups === undefined || groups.includes(group)) changes.push(...ownRemoval(machine, group, name, uid));
    if (groups === undefined) changes.push(...relayRemoval(machine, group, name), messageRemoval(group, name, uid));
  }
  return changes;
}

/** So that a later account of this name is not barred without a word, and what root keeps shut for this one is its own to be removed. */
function unbarring(machine: Machine, group: string, name: string): Change[] {
  const bars = (on: Machine) =>
    CHANNEL_KINDS.filter((kind) => spoolFileOf(on, group)?.barred?.[kind]?.includes(name) === true);
  const options = bars(machine).flatMap((channel) => ["--unbar", `${name}:${channel}`]);
  if (options.length === 0) return [];
  return [
    {
      id: unbarringId(name, group),
      title: `forget that ${name} is barred from channels in ${group}`,
      action: { kind: "run", argv: ["agentbus", ...initArguments(group), ...options] },
      hasTakenEffect: (on) => Promise.resolve(bars(on).length === 0),
    },
  ];
}

/** So that a later account of this name does not publish in the name of others. */
function relayRemoval(machine: Machine, group: string, name: string): Change[] {
  const isRelay = (on: Machine) => spoolFileOf(on, group)?.relays?.includes(name) === true;
  if (!isRelay(machine)) return [];
  return [
    {
      id: `${name}/no-relay-in-${group}`,
      title: `let ${name} publish in no other name in ${group}`,
      action: { kind: "run", argv: ["agentbus", ...initArguments(group), "--unrelay", name] },
      hasTakenEffect: (on) => Promise.resolve(!isRelay(on)),
    },
  ];
}

/** As they were before agentbus.json said something about them. */
function barsBack({ machine, ledger }: Removing, group: string, name: string): Change[] {
  const entries = ledger.entries.filter(({ key }) => key.startsWith(barPrefix(group, name)));
  const wrong = (on: Machine) =>
    CHANNEL_KINDS.filter((channel) => {
      const before = entries.find(({ key }) => key === `${barPrefix(group, name)}${channel}`)?.before;
      const isBarred = spoolFileOf(on, group)?.barred?.[channel]?.includes(name) === true;
      return before !== undefined && isBarred !== (before === BARRED);
    });
  const options = wrong(machine).flatMap((channel) => {
    const isBarred = spoolFileOf(machine, group)?.barred?.[channel]?.includes(name) === true;
    return barOption({ user: name, channel }, !isBarred);
  });
  if (options.length === 0) return [];
  return [
    {
      id: unbarringId(name, group),
      title: `let ${name} use the channels in ${group} that it could use before`,
      action: { kind: "run", argv: ["agentbus", ...initArguments(group), ...options] },
      hasTakenEffect: (on) => Promise.resolve(wrong(on).length === 0),
    },
  ];
}

/** While its account is there, so that what is given back has an owner. */
export function unbarringId(name: string, group: string): string {
  return `${name}/unbarred-in-${group}`;
}

/**
 * Everything of its uid that lies directly in these directories, found when the step runs: until its processes were killed, it could
 * make more than there was when the removal was planned. The directories are root's and sticky, so nobody can exchange an entry.
 */
function ownRemoval(machine: Machine, group: string, name: string, uid: number): Change[] {
  const dirs = ["subscriptions", "outbox", "run", "pipes", "queues"].map((part) => spoolDirOf(group, part));
  const areThere = dirs.filter((dir) => machine.stat(dir)?.isDirectory() === true);
  // Without one, find would look where it is started.
  if (areThere.length === 0) return [];
  return [
    {
      id: `${name}/spool-${group}`,
      title: `remove what ${name} has in the spool ${group}`,
      action: {
        kind: "run",
        argv: [
          ...["find", ...areThere, "-mindepth", "1", "-maxdepth", "1", "-user", String(uid)],
          ...["-exec", ...stubbornDeletion(machine, uid), "{}", ";"],
        ],
        inShort: [
          `$ find ${areThere.join(" ")} -mindepth 1 -maxdepth 1 -user ${uid} -exec ${words(deletionOf(machine, ["{}"]))} ";"`,
          "  (what others fill faster than that empties it is closed to them first)",
        ],
      },
      ifStill: true,
      hasTakenEffect: (on) => Promise.resolve(areThere.every((dir) => ofUid(on, dir, uid).length === 0)),
    },
  ];
}

/**
 * Members may put files into a drop box, and so faster than rm(1) takes them out. Then its directories are closed first, from above and also to
 * whoever made one of them, so that in none of them can anything be exchanged by when its turn comes.
 */
function stubbornDeletion(machine: Machine, uid: number): string[] {
  const [remove = "", ...args] = deletionOf(machine, []);
  // The find around this would put its own path where a script says {}.
  const close = `each="{" && find -P "$1" -type d -exec chown -h ${uid} "$each}" ";" -exec chmod 0700 "$each}" ";"`;
  const script = `remove() { ${words([remove, ...args])} "$@"; }; remove "$1" 2>/dev/null || { ${close}; remove "$1"; }`;
  return ["sh", "-c", script, "sh"];
}

function ofUid(machine: Machine, dir: string, uid: number): string[] {
  return (machine.list(dir) ?? []).filter((entry) => machine.stat(`${dir}/${entry}`)?.uid === uid);
}

/** find -delete goes by descriptors, so nobody can lead it out of the spool. */
function messageRemoval(group: string, name: string, uid: number): Change {
  const find = ["find", spoolDirOf(group), "-xdev", "-user", String(uid)];
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

/** A spool that setup made goes as a whole; one that was there before stays, with the limits that it had. */
export async function spoolRemoval(removing: Removing, group: string, how: Origin["how"]): Promise<Change[]> {
  const { machine, notes } = removing;
  const path = spoolDirOf(group);
  if (machine.stat(path) === undefined) return [];
  if (how !== "made") {
    notes.push(`the spool ${path} was there before setup: it stays, with its owners and modes put right`);
    return limitsBack(removing, group);
  }
  return [
    {
      id: `${group}/spool-removed`,
      title: `delete the spool ${path}, with all messages in it`,
      action: { kind: "run", argv: deletionOf(machine, [path]) },
      hasTakenEffect: (on) => Promise.resolve(on.stat(path) === undefined),
    },
  ];
}

async function limitsBack(removing: Removing, group: string): Promise<Change[]> {
  const changes: Change[] = [];
  for (const entry of removing.ledger.entries) {
    const prefix = `${LIMIT}${group}:`;
    if (!entry.key.startsWith(prefix)) continue;
    const limit = entry.key.slice(prefix.length);
    const now = (on: Machine) => Promise.resolve(textOf(spoolFileOf(on, group)?.limits?.[limit]));
    if (entry.before === undefined) {
      const present = await now(removing.machine);
      const file = `${spoolDirOf(group)}/spool.json`;
      if (present !== undefined && entry.set?.includes(present) === true)
        removing.notes.push(
          `${file} keeps the limit ${limit}, ${present}, and had none before: take it out by hand if you want the default`,
        );
      continue;
    }
    const { before } = entry;
    const step: Change = {
      id: `${group}/${limit}`,
      title: `give the spool ${group} its old limit: ${limit}=${before}`,
      action: { kind: "run", argv: ["agentbus", ...initArguments(group), "--limit", `${limit}=${before}`] },
      hasTakenEffect: async (on) => (await now(on)) === before,
    };
    changes.push(
      ...(await valueBack(removing, { what: `the limit ${limit} of the spool ${group}`, entry, now }, [step])),
    );
  }
  return changes;
}

function textOf(limit: unknown): string | undefined {
  return typeof limit === "number" ? String(limit) : undefined;
}
