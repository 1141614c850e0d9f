import type { ExaminedSpool, Machine } from "./examined.js";
import { finding, type Finding } from "./finding.js";
import { readProc } from "./proc.js";

const OLDEST_NODE = [20, 19] as const;

export function examineNode({ nodeVersion }: Machine): Finding[] {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return [];
  const message = `Node ${nodeVersion} is too old: agentbus needs ${OLDEST_NODE.join(".")} or newer`;
  return [
    finding("error", "node", message, { fix: "npx --yes node@lts --version    (or install it: https://nodejs.org)" }),
  ];
}

/**
 * user_namespaces(7): a namespace that does not map an account shows it as the overflow uid, so all those that it does not map
 * look the same, and root is none of ours.
 */
export function examineNamespace(spool: ExaminedSpool): Finding[] {
  const map = readProc(spool.machine, "self/uid_map");
  if (spool.kind === "personal" || map === undefined || /^0\s+0\s+4294967295$/.test(map)) return [];
  const message =
    "this process runs in a user namespace, as sandboxes and rootless containers make them: accounts that it does not map all look like one, so their messages are refused";
  return [
    finding("warning", "namespace", message, {
      fix: "run it outside, or map the accounts of the group (cat /proc/self/uid_map)",
    }),
  ];
}
