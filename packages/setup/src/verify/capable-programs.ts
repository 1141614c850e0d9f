import type { Machine } from "../machine.js";
import type { ProbedAgent } from "./examination.js";

/** A program that the kernel gives rights of root's to whoever starts it (capabilities(7)). */
export interface CapableProgram {
  readonly path: string;
  /** Such as "cap_kill"; "all" for all that there are. */
  readonly capabilities: readonly string[];
}

export interface CapableSearch {
  readonly programs: readonly CapableProgram[];
  /** Why it is not known whether that is all. */
  readonly gap?: { readonly evidence: string; readonly fix: string };
}

/** Programs of distributions that see for themselves to what whoever starts them may do. */
const MEANT: ReadonlySet<string> = new Set(["newuidmap", "newgidmap", "snap-confine", "systemd-detect-virt"]);
const SEARCHED = [
  ...[
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/games",
    "/usr/local",
    "/bin",
    "/sbin",
    "/lib",
  ],
  ...["/opt", "/srv", "/tmp", "/var/tmp", "/dev/shm"],
];
const SEARCH_WITHIN_MS = 20_000;
/** More are not tried. */
const MAX_PROGRAMS = 500;

/** Looks for them where programs are, and in homes, with getcap(8), which follows no link on its way. */
export async function findCapablePrograms(machine: Machine, homes: readonly string[]): Promise<CapableSearch> {
  if (machine.flavour.platform === "darwin") return { programs: [] };
  const getcap = machine.which("getcap");
  if (getcap === undefined) {
    const fix = machine.flavour.accountTools === "busybox" ? "apk add libcap" : "apt-get install libcap2-bin";
    return { programs: [], gap: { evidence: "there is no getcap, which lists them", fix } };
  }
  const dirs = [...new Set([...SEARCHED, ...homes])].filter((dir) => isDirectory(machine, dir));
  const { stdout, stderr, status } = await machine.run([getcap, "-r", ...dirs], { timeoutMs: SEARCH_WITHIN_MS });
  const programs = parseCapabilities(stdout).slice(0, MAX_PROGRAMS);
  // It complains of what goes away under its feet, and ends with 0 all the same.
  if (status === 0) return { programs };
  const evidence = `getcap ended with ${status}: ${stderr.trim().split("\n")[0] ?? ""}`;
  return { programs, gap: { evidence, fix: `getcap -r ${dirs.join(" ")}` } };
}

/** Those of the programs that an agent can start, with what it would have then. */
export async function startableBy(
  { probe }: ProbedAgent,
  { programs }: CapableSearch,
  rights: ReadonlySet<string>,
): Promise<CapableProgram[]> {
  const startable: CapableProgram[] = [];
  for (const { path, capabilities } of programs) {
    const of = capabilities.filter((capability) => rights.has(capability));
    if (of.length === 0 || MEANT.has(path.slice(path.lastIndexOf("/") + 1))) continue;
    const { outcome } = await probe.run("tryExecuting", path);
    if (outcome === "allowed") startable.push({ path, capabilities: of });
  }
  return startable;
}

/**
 * Lines of getcap: `/usr/bin/x cap_kill,cap_net_raw=ep`, before version 2.41 `/usr/bin/x = cap_kill+ep`. What is only inheritable gives nothing
 * to a process that has nothing.
 */
export function parseCapabilities(listing: string): CapableProgram[] {
  return listing.split("\n").flatMap((line) => {
    const [, path, clauses = ""] = /^(\/.*?) (?:= )?((?:(?:cap_[a-z0-9_,]+)?[=+][eip]+ ?)+)$/.exec(line) ?? [];
    if (path === undefined) return [];
    const capabilities = clauses.split(" ").flatMap((clause) => {
      const [, names = "", flags = ""] = /^([^=+]*)[=+](.*)$/.exec(clause) ?? [];
      if (!/[ep]/.test(flags)) return [];
      return names === "" ? ["all"] : names.split(",");
    });
    return capabilities.length === 0 ? [] : [{ path, capabilities }];
  });
}

function isDirectory(machine: Machine, path: string): boolean {
  try {
    return machine.stat(path)?.isDirectory() === true;
  } catch {
    return false;
  }
}
