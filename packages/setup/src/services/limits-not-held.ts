import type { Flavour } from "../machine.js";
import type { AgentSetup, LimitsSetup } from "../setup.js";

/** What sets a limit on a machine: for the service, and for sessions. */
interface Reach {
  readonly service: boolean;
  readonly sessions: boolean;
}

type Limit = "memory" | "cpu" | "tasks" | "files" | "fileSize";

/** For people: which limits of the file do not hold on such a machine, where, and why; undefined: all of them hold everywhere. */
export function limitsNotHeld(
  { name, limits, service }: Pick<AgentSetup, "name" | "limits" | "service">,
  flavour: Flavour,
): string | undefined {
  const wanted = limitsOf(limits);
  const reaches = wanted.map((limit) => [limit, reachOf(limit, flavour)] as const);
  // A login agent has no service that a limit could hold for.
  const holdsForService = ({ service: reached }: Reach) => service !== undefined && reached;
  const nowhere = reaches.filter(([, reach]) => !reach.sessions && !holdsForService(reach)).map(([limit]) => limit);
  const inService = reaches.filter(([, reach]) => !reach.sessions && holdsForService(reach)).map(([limit]) => limit);
  if (nowhere.length + inService.length === 0) return undefined;
  const parts = [
    ...(nowhere.length === 0 ? [] : [`not held: ${nowhere.join(", ")}`]),
    ...(inService.length === 0 ? [] : [`held for its service and not for its sessions: ${inService.join(", ")}`]),
  ];
  const why = reasonsFor([...nowhere, ...inService], flavour);
  return `limits of ${name} on this machine: ${parts.join("; ")} (${why.join("; ")})`;
}

function limitsOf({ memoryBytes, cpuPercent, tasks, files, fileSizeBytes }: LimitsSetup): Limit[] {
  const values = { memory: memoryBytes, cpu: cpuPercent, tasks, files, fileSize: fileSizeBytes };
  return (Object.keys(values) as Limit[]).filter((limit) => values[limit] !== undefined);
}

/** What systemdUnit(), launchdPlist() and limitsWanted() do with each. Linux without systemd has no services but sessions. */
function reachOf(limit: Limit, { platform, accountTools, hasSystemd }: Flavour): Reach {
  const isCounted = limit === "memory" || limit === "cpu";
  if (platform === "darwin") return { service: !isCounted, sessions: false };
  const byPam = accountTools === "shadow" && !isCounted;
  const bySlice = hasSystemd && (isCounted || limit === "tasks");
  return { service: hasSystemd, sessions: byPam || bySlice };
}

function reasonsFor(limits: readonly Limit[], { platform, accountTools, hasSystemd }: Flavour): string[] {
  const areCounted = limits.some((limit) => limit === "memory" || limit === "cpu");
  const arePerProcess = limits.some((limit) => limit !== "memory" && limit !== "cpu");
  if (platform === "darwin")
    return [
      ...(areCounted ? ["macOS enforces no limit of memory or cpu"] : []),
      ...(arePerProcess ? ["launchd limits the daemons that it starts, and no sessions"] : []),
    ];
  return [
    ...(areCounted && !hasSystemd
      ? ["without systemd nothing limits memory and cpu of all its processes together"]
      : []),
    ...(arePerProcess && accountTools === "busybox"
      ? ["busybox has no pam_limits, which limits processes of sessions"]
      : []),
  ];
}
