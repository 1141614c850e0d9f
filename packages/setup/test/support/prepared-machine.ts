import type { TestContext } from "node:test";
import { SandboxMachine, type Ended } from "./sandbox-machine.js";

/** One person, one group, one agent. */
export const SETUP = {
  version: 1,
  humans: { alice: { groups: ["agents"] } },
  groups: { agents: {} },
  agents: { codebot: { groups: ["agents"] } },
};
/** Where it is written. */
export const FILE = "/tmp/agentbus.json";

export async function prepared(context: TestContext): Promise<SandboxMachine> {
  const machine = await SandboxMachine.make(context);
  machine.addHuman("alice");
  machine.write(FILE, JSON.stringify(SETUP));
  return machine;
}

export function apply(machine: SandboxMachine, ...options: string[]): Ended {
  return machine.setup(["apply", FILE, "--yes", ...options]);
}

export function asCodebot(script: string): string[] {
  return ["su", "codebot", "-s", "/bin/sh", "-c", `HOME=/home/codebot; ${script}`];
}
