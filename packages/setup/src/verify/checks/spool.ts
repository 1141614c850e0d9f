import { shellQuote } from "@agentbus/core";
import type { MachineCheck } from "../check.js";
import type { Examination, ProbedAgent } from "../examination.js";
import type { Tried, Trouble } from "../finding.js";
import { asAccount, repairCommand } from "../mend.js";
import type { Attempt } from "../probe/attempt.js";
import { spoolDirOf } from "../../spool-place.js";
import { allowedOf, listed, untriedOf } from "../trials.js";
import { membersOf, withBus, type Member, type SeatedMember } from "../with-bus.js";

const JUDGED_WITHIN_MS = 10_000;

/** What agents must not be able to do on the bus. */
export const ofSpool: readonly MachineCheck[] = [
  {
    id: "spools-closed-to-outsiders",
    sentence: "who is not in a spool's group neither sees, reads nor writes anything in it",
    ofMachine: ofEachGroup(async (group, examination) => {
      const members = membersOf(group, examination);
      const outsiders = examination.agents.filter(({ wish }) => !wish.groups.includes(group));
      if (outsiders.length === 0) return undefined;
      return withBus(group, examination, members.slice(0, 1), async ([seat], topic, token) => {
        const message = await seat?.member.probe.run("leaveMessage", group, `${topic}.kept`, token);
        const troubles = outsiders.map((outsider) => tryFromOutside(outsider, group, members, message));
        return (await Promise.all(troubles)).flat();
      });
    }),
  },
  {
    id: "senders-unforgeable",
    sentence: "a message in another's name is refused by whoever receives it",
    ofMachine: ofEachPair((group, examination) =>
      withBus(group, examination, membersOf(group, examination), async (seats, topic) => {
        const troubles: Trouble[] = [];
        for (const { member: forger } of seats.filter(({ member }) => isAgent(member, examination))) {
          const victim = seats.find(({ member }) => member !== forger);
          const pretended = examination.humans.find(({ name }) => name !== forger.name) ?? victim?.member;
          if (victim === undefined || pretended === undefined) continue;
          troubles.push(...(await tryForging(forger, victim, { group, topic, pretended: pretended.name })));
        }
        return troubles;
      }),
    ),
  },
  {
    id: "messages-untouchable",
    sentence: "it can neither change, replace, rename nor remove a message of another, nor move a subscription away",
    ofMachine: ofEachPair((group, examination) =>
      withBus(group, examination, membersOf(group, examination), async (seats, topic, token) => {
        const troubles: Trouble[] = [];
        for (const [index, { member }] of seats.filter((seat) => isAgent(seat.member, examination)).entries()) {
          const other = seats.find((seat) => seat.member !== member)?.member;
          if (other === undefined) continue;
          const kept = `${token}-${index}`;
          const message = await other.probe.run("leaveMessage", group, `${topic}.kept-${index}`, kept);
          const attempts = await member.probe.run("meddleWith", group, message);
          troubles.push(...untriedOf(attempts, member.name, doctor(group)));
          const done = allowedOf(attempts).map(({ path }) => path);
          if (done.length === 0) continue;
          troubles.push({
            severity: "error",
            agent: member.name,
            message: `${member.name} can take or change what ${other.name} has sent in ${group}`,
            evidence: `was allowed: ${listed(done)}`,
            fix: repairCommand(group),
          });
        }
        return troubles;
      }),
    ),
  },
  {
    id: "inboxes-closed",
    sentence: "it can neither list another's inbox nor look into what the other sends, handles or has given up",
    ofMachine: ofEachPair(async (group, examination) => {
      const members = membersOf(group, examination);
      const agents = members.filter((member) => isAgent(member, examination));
      const troubles = agents.flatMap((agent) =>
        members.filter((other) => other !== agent).map((other) => tryInbox(agent, other, group)),
      );
      return (await Promise.all(troubles)).flat();
    }),
  },
];

function ofEachGroup(examine: (group: string, examination: Examination) => Promise<Tried>): MachineCheck["ofMachine"] {
  return async (examination) => {
    const tried: Tried[] = [];
    // One after the other: an account has one seat.
    for (const { name } of examination.setup.groups) tried.push(await examine(name, examination));
    const troubles = tried.filter((each) => each !== undefined);
    return troubles.length === 0 ? undefined : troubles.flat();
  };
}

/** For what takes an agent, and somebody whom it could harm. */
function ofEachPair(examine: (group: string, examination: Examination) => Promise<Tried>): MachineCheck["ofMachine"] {
  return ofEachGroup(async (group, examination) => {
    const members = membersOf(group, examination);
    const hasPair = members.length > 1 && members.some((member) => isAgent(member, examination));
    return hasPair ? examine(group, examination) : undefined;
  });
}

function isAgent(member: Member, { agents }: Examination): boolean {
  return agents.some(({ name }) => name === member.name);
}

async function tryFromOutside(
  { name, probe }: ProbedAgent,
  group: string,
  members: readonly Member[],
  message: string | undefined,
): Promise<Trouble[]> {
  const dir = spoolDirOf(group);
  const boxes = members.map((member) => `${dir}/subscriptions/${member.name}~inbox/new`);
  const dirs = [
    dir,
    ...["subscriptions", "queues", "outbox", "run", "pipes", "schemas"].map((part) => `${dir}/${part}`),
  ];
  const reading = [...dirs, `${dir}/spool.json`, ...(message === undefined ? [] : [message])];
  const attempts = [
    ...prefixed("enter", await probe.run("tryEntering", dirs)),
    ...prefixed("read", await probe.run("tryReading", reading)),
    ...prefixed("write to", await probe.run("tryWriting", [...dirs, ...boxes])),
  ];
  const done = allowedOf(attempts).map(({ path }) => path);
  const untried = untriedOf(attempts, name, doctor(group));
  if (done.length === 0) return untried;
  return [
    ...untried,
    {
      severity: "error",
      agent: name,
      message: `${name} gets into the spool of ${group} without being in that group`,
      evidence: `was allowed: ${listed(done)}`,
      fix: repairCommand(group),
    },
  ];
}

async function tryForging(
  forger: Member,
  { member: victim, dropBox }: SeatedMember,
  { group, topic, pretended }: { group: string; topic: string; pretended: string },
): Promise<Trouble[]> {
  const attempt = await forger.probe.run("forgeMessage", group, dropBox, topic, pretended);
  if (attempt.outcome !== "allowed") return untriedOf([{ ...attempt, outcome: "untried" }], forger.name, doctor(group));
  const reasons = await victim.probe.run("refusalsOf", group, forger.name, JUDGED_WITHIN_MS);
  if (reasons.includes("forged-source")) return [];
  return [
    {
      severity: "error",
      agent: forger.name,
      message: `${victim.name} does not refuse what ${forger.name} sends in the name of ${pretended}`,
      evidence: `put it into ${dropBox}; ${reasons.length === 0 ? "it was not refused" : `refused only as ${reasons.join(", ")}`}`,
      // Nobody but root and relays is believed, and root is no agent.
      fix: `${repairCommand(group)} --unrelay ${shellQuote(forger.name)}`,
    },
  ];
}

function doctor(group: string): string {
  return `agentbus doctor --group ${shellQuote(group)}`;
}

/** What is each one's own, with the mode that it is made with. */
const OWN_PARTS: readonly (readonly [string, string])[] = [
  ["new", "3730"],
  ["cur", "0700"],
  ["retry", "0700"],
  ["dead", "0700"],
];

async function tryInbox(agent: Member, other: Member, group: string): Promise<Trouble[]> {
  const dir = spoolDirOf(group);
  const inbox = `${dir}/subscriptions/${other.name}~inbox`;
  const parts = [
    ...OWN_PARTS.map(([part, mode]) => [`${inbox}/${part}`, mode] as const),
    [`${dir}/outbox/${other.name}`, "2700"] as const,
  ];
  const attempts = await agent.probe.run(
    "tryReading",
    parts.map(([path]) => path),
  );
  const writing = await agent.probe.run("tryWriting", [inbox, ...parts.slice(1).map(([path]) => path)]);
  const all = [...prefixed("list", attempts), ...prefixed("write to", writing)];
  const troubles = parts
    .map(([path, mode]) => ({
      path,
      mode,
      does: all.filter((each) => each.path.endsWith(` ${path}`) && each.outcome === "allowed"),
    }))
    .filter(({ does }) => does.length > 0)
    .map(({ path, mode, does }): Trouble => ({
      severity: "error",
      agent: agent.name,
      message: `${agent.name} looks into what is ${other.name}'s alone in ${group}`,
      evidence: `was allowed: ${listed(does.map((each) => each.path))}`,
      fix: asAccount(other.name, `chmod ${mode} ${shellQuote(path)}`),
    }));
  return [...troubles, ...untriedOf(all, agent.name, doctor(group))];
}

function prefixed(verb: string, attempts: readonly Attempt[]): Attempt[] {
  return attempts.map((attempt) => ({ ...attempt, path: `${verb} ${attempt.path}` }));
}
