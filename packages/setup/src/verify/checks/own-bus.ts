import { diagnose, shellQuote } from "@agentbus/core";
import { makePlan } from "../../plan/make-plan.js";
import type { AgentCheck, MachineCheck } from "../check.js";
import type { Trouble } from "../finding.js";

import { TaskFailed } from "../account-probe.js";
import type { Examination } from "../examination.js";
import { applyCommand, asAccount, planCommand } from "../mend.js";
import { reviveSpool } from "../revive-spool.js";
import { spoolDirOf } from "../../spool-place.js";
import { membersOf, withBus, type Member } from "../with-bus.js";

/** Longer than any delivery takes. */
const ARRIVES_WITHIN_MS = 10_000;

/** What must work. */
export const ofOwnBus: readonly (AgentCheck | MachineCheck)[] = [
  {
    id: "command-usable",
    sentence: "it can run Node and the agentbus command",
    async ofAgent({ name, probe }) {
      const node = process.execPath;
      const script = process.argv[1];
      const [attempt] = [await probe.run("tryExecuting", node)];
      const reading = script === undefined ? [] : await probe.run("tryReading", [script]);
      const trouble = (path: string, errno: string | undefined, fix: string): Trouble => ({
        severity: "warning",
        agent: name,
        message: `${name} cannot use ${path}, so it cannot run agentbus`,
        evidence: `the kernel said ${errno ?? "no"}`,
        fix,
      });
      if (attempt.outcome !== "allowed") {
        return [trouble(node, attempt.errno, `install -m 0755 ${shellQuote(node)} /usr/local/bin/node`)];
      }
      const refused = reading.filter(({ outcome }) => outcome !== "allowed");
      return refused.map(({ path, errno }) =>
        trouble(path, errno, "npm install --global --prefix /usr/local @agentbus/cli"),
      );
    },
  },
  {
    id: "bus-works",
    sentence: "members of a spool, agents and humans, receive what the others publish, under their true names",
    async ofMachine(examination) {
      const troubles = examination.setup.groups.map(async ({ name: group }) => {
        const members = membersOf(group, examination);
        return withBus(
          group,
          examination,
          members,
          async (seats, topic) => {
            const found: Trouble[] = [];
            const expected: string[] = [];
            for (const { member } of seats) {
              const trouble = await tryPublishing(member, group, topic, examination);
              if (trouble === undefined) expected.push(member.name);
              else found.push(trouble);
            }
            for (const { member } of seats) {
              const arrivals = await member.probe.run("arrivalsFrom", group, expected, ARRIVES_WITHIN_MS);
              const silent = expected.filter(
                (name) => !arrivals.some(({ sender, text }) => sender === name && text === `from ${name}`),
              );
              if (silent.length === 0) continue;
              found.push({
                severity: "error",
                agent: member.name,
                message: `${member.name} does not receive what ${silent.join(", ")} publishes in ${group}`,
                evidence: `${ARRIVES_WITHIN_MS / 1_000} s after it was published on ${topic} it had not come`,
                fix: `agentbus doctor --group ${shellQuote(group)}`,
              });
            }
            return found;
          },
          "error",
        );
      });
      return (await Promise.all(troubles)).flat();
    },
  },
  {
    id: "nothing-to-apply",
    sentence: "the machine is as the file says, so that another apply would change nothing",
    async ofMachine({ setup, machine }) {
      const { changes, conflicts } = await makePlan(setup, machine);
      const blocked = conflicts.map(({ problem, fix }): Trouble => {
        const message = `apply cannot go on: ${problem}`;
        return { severity: "warning", message, evidence: fix, fix: planCommand(setup) };
      });
      const open = changes.map(({ id, title }): Trouble => {
        return {
          severity: "warning",
          message: `apply would take this step: ${title}`,
          evidence: `planned ${id}`,
          fix: applyCommand(setup),
        };
      });
      return [...blocked, ...open];
    },
  },
  {
    id: "spool-as-made",
    sentence: "each spool has the owners and modes that it was made with, and is on a filesystem that keeps them",
    async ofMachine({ setup, machine }) {
      const found = new Map<string, Trouble>();
      for (const { name } of setup.groups) {
        for (const { severity, message, fix, check } of await diagnose({ spool: spoolDirOf(name) })) {
          if (severity === "info" || check === "inotify") continue; // root's own limits
          const evidence = `agentbus doctor --group ${name} looked`;
          const isUnusable = check === "spool" && severity === "error";
          const revival = isUnusable ? reviveSpool(name, setup, machine) : undefined;
          const mend = revival ?? fix ?? `agentbus doctor --group ${shellQuote(name)}`;
          found.set(message, { severity, message, evidence, fix: mend });
        }
      }
      return [...found.values()];
    },
  },
];

/** @returns what is wrong, if it cannot */
async function tryPublishing(
  { name, account, probe }: Member,
  group: string,
  topic: string,
  { machine }: Examination,
): Promise<Trouble | undefined> {
  try {
    await probe.run("publishTo", group, topic, `from ${name}`);
    return undefined;
  } catch (error) {
    if (!(error instanceof TaskFailed)) throw error;
    const outbox = spoolDirOf(group, `outbox/${name}`);
    const stat = machine.stat(outbox);
    const isClosed = stat?.uid === account.uid && (stat.mode & OUTBOX_MODE) !== OUTBOX_MODE;
    const fix = isClosed
      ? asAccount(name, `chmod ${OUTBOX_MODE.toString(8)} ${shellQuote(outbox)}`)
      : (error.fix ?? `agentbus doctor --group ${shellQuote(group)}`);
    const message = `${name} cannot publish in ${group}`;
    return { severity: "error", agent: name, message, evidence: error.message, fix };
  }
}

const OUTBOX_MODE = 0o2700;
