import { chmodSync, chownSync } from "node:fs";
import { makeThrowawayAccounts } from "../accounts/throwaway.js";
import { runOneWay } from "../rounds/one-way.js";
import { missingProgram } from "../servers/programs.js";
import { isTransportName, loadTransport, type TransportName } from "../transports/index.js";
import type { Place } from "../transports/transport.js";
import { COMPILED_AFTER, LATENCY_COLUMNS } from "./latency.js";
import type { Arena, Configuration, Contestant, Scenario } from "./scenario.js";
import { assignmentOf, inPlace, latencyMetrics } from "./transport-round.js";

const NAMES = ["spool", "raw-socket"] as const;
const COMMON = { bytes: 512, perSecond: 500, window: null, subscribers: 1 };

/** What agentbus is for: publisher and subscriber are different Unix accounts, which have a group in common. */
export const ACCOUNTS: Scenario = {
  id: "latency-accounts",
  family: "latency",
  title: "one-way latency from one Unix account to another, 512 B, 500/s, 1 publisher, 1 subscriber",
  columns: LATENCY_COLUMNS,
  full: { ...COMMON, rounds: 7, count: 1_000, warmUp: COMPILED_AFTER },
  quick: { ...COMMON, rounds: 1, count: 100, warmUp: 20 },
  contestants: async (only) =>
    Promise.all(
      NAMES.filter((name) => only === undefined || only.filter(isTransportName).includes(name)).map(contestant),
    ),
};

async function contestant(name: TransportName): Promise<Contestant> {
  const { description, durability, keepsOrder } = await loadTransport(name);
  return {
    ...{ name, durability, keepsOrder },
    description: `${description}; two throwaway accounts`,
    missing: async () =>
      process.geteuid?.() === 0
        ? missingProgram("useradd", "passwd")
        : "sudo npm run bench -- latency-accounts, because only root can make accounts",
    measure: (configuration, arena) => measure(name, configuration, arena),
  };
}

async function measure(name: TransportName, configuration: Configuration, { dir, leftovers }: Arena) {
  const accounts = makeThrowawayAccounts(leftovers);
  try {
    // The group comes in and may make a socket; the spool below has its own modes, and root above it, as it wants.
    chownSync(dir, 0, accounts.gid);
    chmodSync(dir, name === "spool" ? 0o755 : 0o2770);
    const transport = await loadTransport(name);
    const place: Place = { dir, isDurable: false, group: accounts.group };
    return await inPlace(await transport.start(place, leftovers), async () => {
      const assignment = { ...place, ...assignmentOf(name, configuration) };
      const { latenciesNs, losses } = await runOneWay(assignment, leftovers, { accounts });
      return { metrics: latencyMetrics(latenciesNs), latenciesNs, losses };
    });
  } finally {
    accounts.remove();
  }
}
