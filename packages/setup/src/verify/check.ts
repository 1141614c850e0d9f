import type { Tried } from "./finding.js";
import type { Examination, ProbedAgent } from "./examination.js";

/** One guarantee, and how it is tried. */
export type Check = AgentCheck | MachineCheck;

interface Guarantee {
  /** Stable, for programs. docs/verify.md lists all of them. */
  readonly id: string;
  /** What is so when the check passes. */
  readonly sentence: string;
}

/** Tried for each agent by itself. */
export interface AgentCheck extends Guarantee {
  readonly ofAgent: (agent: ProbedAgent, examination: Examination) => Promise<Tried>;
}

/** Tried once. */
export interface MachineCheck extends Guarantee {
  readonly ofMachine: (examination: Examination) => Promise<Tried>;
}
