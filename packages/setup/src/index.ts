/** @agentbus/setup: gives each agent an account of its own, and takes it away again. */
export { readSetupFile } from "./setup-file.js";
export type { Setup, AgentSetup, GroupSetup, HumanSetup } from "./setup.js";
