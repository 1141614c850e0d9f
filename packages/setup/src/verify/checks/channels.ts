import { randomBytes } from "node:crypto";
import { shellQuote } from "@agentbus/core";
import type { Check } from "../check.js";
import type { Examination, ProbedAgent } from "../examination.js";
import type { Trouble } from "../finding.js";
import { applyCommand } from "../mend.js";
import type { Attempt } from "../probe/attempt.js";
import { allowedOf, listed, untriedOf } from "../trials.js";
import { membersOf, withBus, type Member } from "../with-bus.js";

/** That agents use no channels which the file denies them. */
export const ofChannels: readonly Check[] = [
  {
    id: "channels-as-written",
    sentence: "it uses no socket and no pipe of the bus where the file says so, also without the library",
    async ofMachine(examination) {
      const barred = examination.agents.filter(({ wish }) => !wish.channels.sockets || !wish.channels.pipes);
      if (barred.length === 0) return undefined;
      const troubles: Trouble[] = [];
      // One after the other: an account has one seat.
      for (const agent of barred) {
        for (const group of agent.wish.groups) troubles.push(...(await tryChannels(agent, group, examination)));
      }
      return troubles;
    },
  },
];

function tryChannels(agent: ProbedAgent, group: string, examination: Examination): Promise<Trouble[]> {
  const other = membersOf(group, examination).find(({ name }) => name !== agent.name);
  return withBus(group, examination, other === undefined ? [agent] : [agent, other], async (seats) => {
    const [own, peer] = [agent, other].map((each) => seats.find(({ member }) => member === each)?.member);
    if (own === undefined) return [];
    const attempts = [
      ...(agent.wish.channels.sockets ? [] : await trySockets(own, peer, group)),
      ...(agent.wish.channels.pipes ? [] : await tryPipes(own, peer, group)),
    ];
    const done = allowedOf(attempts);
    if (done.length === 0) return untriedOf(attempts, agent.name, `agentbus doctor --group ${shellQuote(group)}`);
    const fix = applyCommand(examination.setup);
    const message = `${agent.name} can use channels in ${group} that the file denies it`;
    return [
      ...untriedOf(attempts, agent.name, `agentbus doctor --group ${shellQuote(group)}`),
      {
        severity: "error",
        agent: agent.name,
        message,
        evidence: `was allowed: ${listed(done.map(({ path }) => path))}`,
        fix,
      },
    ];
  });
}

/** The kernel lets it listen in its own directory; so nobody must talk to it there. */
async function trySockets({ name, probe }: Member, peer: Member | undefined, group: string): Promise<Attempt[]> {
  const socket = `v${randomBytes(4).toString("hex")}`;
  const attempts = [await probe.run("tryServing", group, socket)];
  if (peer === undefined || !(await probe.run("listenAside", group, socket))) return attempts;
  try {
    const reached = await peer.probe.run("tryConnecting", group, `@${name}/${socket}`);
    return [...attempts, { ...reached, path: `${peer.name}: ${reached.path}` }];
  } finally {
    await probe.run("listenAside", group, socket);
  }
}

async function tryPipes({ name, probe }: Member, peer: Member | undefined, group: string): Promise<Attempt[]> {
  const token = randomBytes(16).toString("hex");
  const ofPeer = peer === undefined ? [] : [await peer.probe.run("tryDropBox", group, name, token)];
  return [
    await probe.run("tryPipes", group),
    await probe.run("tryDropBox", group, name, token),
    ...(await probe.run("tryTakingDropBox", group)),
    ...ofPeer,
  ];
}
