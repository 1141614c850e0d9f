import { diagnose, shellQuote } from "@agentbus/core";
import { makePlan } from "../../plan/make-plan.js";
import type { AgentCheck, MachineCheck } from "../check.js";
import type { Trouble } from "../finding.js";

import { applyCommand, planCommand } from "../mend.js";
import { spoolDirOf } from "../../spool-place.js";
import { membersOf, withBus } from "../with-bus.js";

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
          members,
          async (seats, topic) => {
            const found: Trouble[] = [];
            for (const { member } of seats) await member.probe.run("publishTo", group, topic, `from ${member.name}`);
            for (const { member } of seats) {
              const expected = seats.map((seat) => seat.member.name);
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
    async ofMachine({ setup }) {
      const found = new Map<string, Trouble>();
      for (const { name } of setup.groups) {
        for (const { severity, message, fix, check } of await diagnose({ spool: spoolDirOf(name) })) {
          if (severity === "info" || check === "inotify") continue; // root's own limits
          const evidence = `agentbus doctor --group ${name} looked`;
          const mend = fix ?? `agentbus doctor --group ${shellQuote(name)}`;
          found.set(message, { severity, message, evidence, fix: mend });
        }
      }
      return [...found.values()];
    },
  },
];
