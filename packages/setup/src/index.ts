/** @agentbus/setup: gives each agent an account of its own, proves that it isolates, and takes it away again. */
export { applySetup, type Applied, type ApplyOptions } from "./apply/apply.js";
export type { Moment } from "./apply/perform.js";
export { listAgents, type ListedAgent } from "./list-agents.js";
export { FLAVOURS, type Flavour, type Machine } from "./machine.js";
export { makeInbox } from "./make-inbox.js";
export { firstSetupText, withAgent, withoutAgent, type FirstSetup } from "./new-file.js";
export { makePlan, type Plan, type PlanOptions } from "./plan/make-plan.js";
export { planScript } from "./plan/plan-script.js";
export { planJson, planText } from "./plan/plan-text.js";
export { PretendedMachine, type Pretence } from "./pretended-machine.js";
export type { HomeFate } from "./remove/remove-home.js";
export type { Removal } from "./remove/plan-removal.js";
export { removeSetup, type Removed, type RemoveOptions } from "./remove/remove.js";
export { requireAgent, sessionCommand } from "./session.js";
export { parseSetup, readSetupFile, SETUP_FILE } from "./setup-file.js";
export type { AgentSetup, GroupSetup, HumanSetup, Setup } from "./setup.js";
export { SystemMachine } from "./system-machine.js";
