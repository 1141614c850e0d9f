import type { AgentPart, MachinePart } from "./part.js";

/** In the order in which they are applied. */
export const AGENT_PARTS: readonly AgentPart[] = [];
export const MACHINE_PARTS: readonly MachinePart[] = [];
