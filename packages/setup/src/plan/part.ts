import type { Machine } from "../machine.js";
import type { Setup } from "../setup.js";
import type { Wanted } from "./change.js";
import type { PlannedAgent } from "./planning.js";

/** A part of setup that says what it wants for one agent: sudo rules, a service, limits of its sessions. */
export type AgentPart = (planned: PlannedAgent, setup: Setup, machine: Machine) => Wanted | Promise<Wanted>;

/** The same for the machine as a whole: power. */
export type MachinePart = (setup: Setup, machine: Machine) => Wanted | Promise<Wanted>;

export const NOTHING: Wanted = Object.freeze({ files: [], commands: [] });
