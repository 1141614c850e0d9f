import type { Examination, ProbedAgent } from "./examination.js";
import type { Trouble } from "./finding.js";
import { startableBy } from "./capable-programs.js";
import { takeCapabilities } from "./mend.js";

/** With these it signals any process (kill(2)). */
export const TO_SIGNAL: ReadonlySet<string> = new Set(["cap_kill"]);
/** With these it looks into any process (ptrace(2)). */
export const TO_TRACE: ReadonlySet<string> = new Set(["cap_sys_ptrace", "cap_checkpoint_restore"]);
/** With any of these it is root, or makes itself root, or reads what is root's. */
export const TO_BE_ROOT: ReadonlySet<string> = new Set([
  ...["all", "cap_setuid", "cap_setgid", "cap_setpcap", "cap_setfcap"],
  ...[
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_chown",
    "cap_fowner",
    "cap_fsetid",
    "cap_mac_override",
    "cap_mac_admin",
  ],
  ...[
    "cap_sys_admin",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_mknod",
    "cap_bpf",
    "cap_linux_immutable",
  ],
]);

/** A program that gives an agent rights of root's over what the check is about. @param does completes "codebot …" */
export async function throughPrograms(
  agent: ProbedAgent,
  { capable, agents }: Examination,
  rights: ReadonlySet<string>,
  does: string,
): Promise<Trouble[]> {
  const homes = agents.map(({ account }) => account.home);
  return (await startableBy(agent, capable, rights)).map(({ path, capabilities }) => ({
    severity: "error",
    agent: agent.name,
    message: `${agent.name} ${does} through ${path}`,
    evidence: `may start it, and getcap says that it has ${capabilities.join(", ")}`,
    fix: takeCapabilities(path, homes),
  }));
}
