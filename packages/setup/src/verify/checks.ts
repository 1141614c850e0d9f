import type { Check } from "./check.js";
import { accountsProbed, ofAccount, ofSpoolGroups } from "./checks/account.js";
import { ofChannels } from "./checks/channels.js";
import { ofHumans } from "./checks/humans.js";
import { ofLogin } from "./checks/login.js";
import { ofOtherAgents } from "./checks/other-agents.js";
import { ofOwnBus } from "./checks/own-bus.js";
import { ofOwnHome } from "./checks/own-home.js";
import { ofProcesses } from "./checks/processes.js";
import { setIdFiles } from "./checks/set-id-files.js";
import { ofSpool } from "./checks/spool.js";
import { ofSudo } from "./checks/sudo.js";
import { ofSystem } from "./checks/system.js";
import { ofWaysAround } from "./checks/ways-around.js";

export interface Family {
  readonly title: string;
  readonly checks: readonly Check[];
}

/** All that is tried, in the order in which it is told. docs/verify.md lists the same. */
export const FAMILIES: readonly Family[] = [
  { title: "Its account", checks: [accountsProbed, ...ofAccount, ...ofSpoolGroups] },
  { title: "Its home", checks: [...ofOwnHome, ...ofLogin] },
  { title: "Humans", checks: ofHumans },
  { title: "Other agents", checks: ofOtherAgents },
  { title: "The system", checks: ofSystem },
  { title: "Processes", checks: ofProcesses },
  { title: "sudo", checks: ofSudo },
  { title: "Ways around", checks: [setIdFiles, ...ofWaysAround] },
  { title: "Messages of others", checks: ofSpool },
  { title: "Channels", checks: ofChannels },
  { title: "What must work", checks: ofOwnBus },
];
