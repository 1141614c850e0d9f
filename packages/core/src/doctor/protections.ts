import type { Machine } from "./examined.js";
import { finding, type Finding } from "./finding.js";
import { readSysctl, setSysctl } from "./proc.js";

/**
 * The kernel's protections against files that others plant (Documentation/admin-guide/sysctl/fs.rst). Whoever shares
 * directories with other accounts wants them; agentbus itself does without: it opens nothing that it did not make but with
 * O_NOFOLLOW and O_NONBLOCK, creates with O_EXCL, and believes a message only for what it is bound to.
 */
export function examineProtections(machine: Machine): Finding[] {
  if (machine.platform !== "linux") return [];
  return PROTECTIONS.flatMap(({ name, recommended, severity, means }) => {
    const value = readSysctl(machine, name);
    if (value === undefined || value >= recommended) return [];
    const message = `${name} is ${value}, better is ${recommended}: ${means[value] ?? ""}`;
    return [finding(severity, "sysctls", message, { fix: setSysctl(name, recommended) })];
  });
}

interface Protection {
  readonly name: string;
  readonly recommended: number;
  readonly severity: "warning" | "info";
  /** What a value that is too low permits, by value. */
  readonly means: readonly string[];
}

const PLANTED_FILE = "a script that creates a file in a drop box with > may write into one that a member planted there";
const PLANTED_FIFO = "a script that creates a file in a drop box with > may hang in a FIFO that a member planted there";
const ONLY_TMP = "; 1 is for directories like /tmp only, not for those of a group";

const PROTECTIONS: readonly Protection[] = [
  {
    name: "fs.protected_hardlinks",
    recommended: 1,
    severity: "warning",
    means: [
      "a member can link another account's file, which it may not even read, into a drop box as if that account had sent it",
    ],
  },
  {
    name: "fs.protected_symlinks",
    recommended: 1,
    severity: "warning",
    means: ["programs follow symbolic links that other accounts leave in /tmp"],
  },
  {
    name: "fs.protected_regular",
    recommended: 2,
    severity: "info",
    means: [PLANTED_FILE, PLANTED_FILE + ONLY_TMP],
  },
  {
    name: "fs.protected_fifos",
    recommended: 2,
    severity: "info",
    means: [PLANTED_FIFO, PLANTED_FIFO + ONLY_TMP],
  },
];
