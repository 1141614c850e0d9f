import type { Assignment } from "../ends/assignment.js";
import { filesystemOf } from "../report/machine.js";
import { distributionOf } from "../report/statistics.js";
import { loadTransport, PEER_NAMES, type TransportName, isTransportName } from "../transports/index.js";
import type { Place, Started, Transport } from "../transports/transport.js";
import type { Arena, Configuration, Contestant, Round, RoundInTurns } from "./scenario.js";

export interface TransportRound {
  readonly isDurable?: boolean;
  /** Who can take part at all. */
  readonly takesPart: (transport: Transport) => boolean;
  readonly measure: (assignment: Assignment, arena: Arena, configuration: Configuration) => Promise<Round>;
  /** The same in turns. */
  readonly begin?: (assignment: Assignment, arena: Arena, configuration: Configuration) => Promise<RoundInTurns>;
}

/** The transports that can take part in a scenario, each with its server started for every round. */
export async function transportContestants(
  round: TransportRound,
  only: readonly string[] | undefined,
): Promise<Contestant[]> {
  const names = only?.filter(isTransportName) ?? PEER_NAMES;
  const transports = await Promise.all(names.map(async (name) => ({ name, transport: await loadTransport(name) })));
  return transports
    .filter(({ transport }) => round.takesPart(transport))
    .map(({ name, transport }) => contestant(name, transport, round));
}

/** What every latency is told by. */
export function latencyMetrics(latenciesNs: Float64Array): Record<string, number> {
  const { p50, p90, p99, max } = distributionOf(latenciesNs);
  return { p50Us: p50, p90Us: p90, p99Us: p99, maxUs: max };
}

function contestant(name: TransportName, transport: Transport, round: TransportRound): Contestant {
  const { description, durability, keepsOrder } = transport;
  const isDurable = round.isDurable ?? false;
  return {
    name,
    description,
    durability: isDurable ? "disk" : durability,
    keepsOrder,
    missing: () => transport.missing(),
    measure: async (configuration, arena) => {
      const place: Place = { dir: arena.dir, isDurable };
      const started = honest(place, await transport.start(place, arena.leftovers));
      const atOneGo = { ...configuration, turns: 1, leadIn: 0 };
      const assignment = { ...place, ...assignmentOf(name, atOneGo) };
      return inPlace(started, () => round.measure(assignment, arena, configuration));
    },
    ...(round.begin === undefined || transport.pollsAtRest === true
      ? {}
      : { begin: beginner(name, transport, round.begin) }),
  };
}

function beginner(
  name: TransportName,
  transport: Transport,
  begin: NonNullable<TransportRound["begin"]>,
): NonNullable<Contestant["begin"]> {
  return async (configuration, arena) => {
    const place: Place = { dir: arena.dir, isDurable: false };
    const started = await transport.start(place, arena.leftovers);
    const { durability, note } = started;
    try {
      const round = await begin({ ...place, ...assignmentOf(name, configuration) }, arena, configuration);
      return {
        turn: () => round.turn(),
        result: async () => ({ durability, note, ...(await round.result()) }),
        stop: async () => {
          try {
            await round.stop();
          } finally {
            await started.stop();
          }
        },
      };
    } catch (error) {
      await started.stop();
      throw error;
    }
  };
}

/** A sync of a tmpfs does nothing, and is fast. */
function honest({ dir, isDurable }: Place, started: Started): Started {
  if (!isDurable || filesystemOf(dir) !== "tmpfs") return started;
  const note = [started.note, "a tmpfs is no disk: nothing survives a power cut"].filter(Boolean).join("; ");
  return { ...started, durability: "process", note };
}

/** Runs a round while what was started for it is there. */
export async function inPlace(started: Started, measure: () => Promise<Round>): Promise<Round> {
  const { durability, note } = started;
  try {
    return { durability, note, ...(await measure()) };
  } finally {
    await started.stop();
  }
}

export function assignmentOf(
  transport: TransportName,
  { bytes, count, warmUp, rests = false, perSecond, window, subscribers, turns = 1, leadIn = 0 }: Configuration,
): Omit<Assignment, keyof Place> {
  return { transport, bytes, count: count + turns * leadIn, warmUp, rests, perSecond, window, subscribers };
}
