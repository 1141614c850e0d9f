import { BusError } from "@agentbus/core";
import type { Machine } from "../machine.js";
import { asRootCommand, fileArgument } from "../own-command.js";
import type { Setup } from "../setup.js";
import type { Check } from "./check.js";
import { FAMILIES } from "./checks.js";
import { beginExamination, endExamination, type Examination } from "./examination.js";
import type { PassedCheck, Tried, Verdict, VerifyFinding } from "./finding.js";
import { applyCommand } from "./mend.js";

export interface VerifyOptions {
  /** What runs our own command, as which the probes run. */
  readonly agentbus: readonly string[];
}

/**
 * Tries, as each agent of the file, what it should not be able to do, and then what it should. Changes nothing but for test messages
 * on the bus, which it takes away again.
 * @throws BusError ERR_ACCESS without root, which alone can act as others
 */
export async function verify(setup: Setup, machine: Machine, { agentbus }: VerifyOptions): Promise<Verdict> {
  if (machine.access !== "root") throw needsRoot(setup);
  const examination = await beginExamination(setup, machine, agentbus);
  try {
    const findings: VerifyFinding[] = [];
    const passed: PassedCheck[] = [];
    for (const check of FAMILIES.flatMap(({ checks }) => checks)) {
      for (const { agent, troubles } of await examine(check, examination)) {
        if (troubles === undefined) continue;
        findings.push(...troubles.map((trouble) => ({ check: check.id, ...trouble })));
        if (troubles.length === 0) passed.push({ check: check.id, ...(agent === undefined ? {} : { agent }) });
      }
    }
    return { agents: setup.agents.map(({ name }) => name), findings, passed };
  } finally {
    await endExamination(examination);
  }
}

interface Examined {
  readonly agent?: string;
  readonly troubles: Tried;
}

async function examine(check: Check, examination: Examination): Promise<Examined[]> {
  if ("ofMachine" in check) {
    return [{ troubles: await orUnfinished(() => check.ofMachine(examination), examination) }];
  }
  const examined = examination.agents.map(async (agent) => ({
    agent: agent.name,
    troubles: await orUnfinished(() => check.ofAgent(agent, examination), examination, agent.name),
  }));
  return Promise.all(examined);
}

/** A check that cannot be finished has not passed: an agent could have seen to that. */
async function orUnfinished(run: () => Promise<Tried>, { setup }: Examination, agent?: string): Promise<Tried> {
  try {
    return await run();
  } catch (error) {
    const message = "a check could not be finished, so what it should show is not known";
    const fix = applyCommand(setup);
    return [
      {
        severity: "error",
        ...(agent === undefined ? {} : { agent }),
        message,
        evidence: (error as Error).message,
        fix,
      },
    ];
  }
}

function needsRoot({ path }: Setup): BusError {
  return new BusError("ERR_ACCESS", "cannot verify without root: only root can act as each of the agents", {
    path,
    fix: asRootCommand(`setup verify${fileArgument(path)}`),
  });
}
