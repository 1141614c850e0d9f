import { powerWanted } from "../power/power-wanted.js";
import { limitsWanted } from "../services/limits-wanted.js";
import { serviceWanted } from "../services/service-wanted.js";
import { sudoWanted } from "../sudo/sudo-wanted.js";
import type { AgentPart, MachinePart } from "./part.js";

/** In the order in which they are applied: an agent is limited before it starts. */
export const AGENT_PARTS: readonly AgentPart[] = [
  (planned, _setup, machine) => limitsWanted(planned, machine),
  ({ agent }, { humans }, machine) => sudoWanted(agent, humans, machine),
  (planned, _setup, machine) => serviceWanted(planned, machine),
];
export const MACHINE_PARTS: readonly MachinePart[] = [({ power }, machine) => powerWanted(power, machine)];
