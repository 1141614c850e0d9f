import type { ResultRecord } from "./result-record.js";

/** A number as a reader takes it in: two or three digits that count, thousands apart. */
export function figureOf(value: number): string {
  if (value < 10) return value.toLocaleString("en-US", { maximumSignificantDigits: 2 });
  return value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

/** The transport; one that broke a promise is marked, so that its numbers cannot pass for good ones. */
export function labelOf({ transport, isClean }: ResultRecord): string {
  return isClean ? transport : `${transport} FAILED`;
}

/** "12 lost, 1 repeated"; empty when every message came once and in order. */
function lossesOf({ losses }: ResultRecord): string {
  return (["lost", "reordered", "repeated"] as const)
    .filter((what) => losses[what] > 0)
    .map((what) => `${losses[what].toLocaleString("en-US")} ${what}`)
    .join(", ");
}

/** What a reader has to know of single transports: who did not deliver what was sent as it was sent, and what the bench adds. */
export function remarks(records: readonly ResultRecord[]): string[] {
  const failed = records.flatMap((record) => {
    const why = [lossesOf(record), record.failure ?? ""].filter((part) => part !== "").join("; ");
    if (record.isClean) return why === "" ? [] : `${record.transport}: ${why}, which it may.`;
    return `${labelOf(record)}${why === "" ? "" : `: ${why}`}.`;
  });
  const notes = records.flatMap(({ transport, configuration: { note } }) =>
    note === undefined ? [] : `${transport}: ${note}.`,
  );
  return [...new Set([...failed, ...notes])];
}

/** What "accepted" means, for the words that the bench uses. */
const ACCEPTED: Readonly<Record<string, string>> = {
  nothing: "kept by nobody",
  memory: "kept in a server's memory",
  process: "survives every process",
  disk: "survives a power cut",
};

export function acceptedMeans(durability: string): string {
  return ACCEPTED[durability] ?? durability;
}

/** "An accepted message: kept in a server's memory (redis-streams, mosquitto); …" */
export function acceptedNote(records: readonly ResultRecord[]): string {
  const byMeaning = new Map<string, Set<string>>();
  for (const { transport, configuration } of records) {
    const meaning = acceptedMeans(configuration.durability);
    byMeaning.set(meaning, (byMeaning.get(meaning) ?? new Set()).add(transport));
  }
  const parts = [...byMeaning].map(([meaning, transports]) => `${meaning} (${[...transports].join(", ")})`);
  return `An accepted message: ${parts.join("; ")}.`;
}

/** "512 bytes, 500 messages a second, 1 subscription, 5 interleaved rounds of 1,000": what differs is given from–to. */
export function configurationOf(records: readonly ResultRecord[]): string {
  const range = (of: (configuration: ResultRecord["configuration"]) => number | null | undefined) =>
    rangeOf(records.flatMap(({ configuration }) => of(configuration) ?? []));
  const perSecond = range(({ perSecond: rate }) => rate);
  const window = range(({ window: size }) => size);
  const subscribers = range((configuration) => configuration.subscribers);
  return [
    `${range(({ bytes }) => bytes)} bytes`,
    ...(perSecond === "" ? [] : [`${perSecond} messages a second`]),
    ...(window === "" ? [] : [`at most ${window} in flight`]),
    `${subscribers} subscription${subscribers === "1" ? "" : "s"}`,
    `${range(({ rounds }) => rounds)} interleaved rounds of ${range(({ count }) => count)}`,
  ].join(", ");
}

/** "AMD EPYC, 2 cores, 8 GiB, Linux 6.18, Node 20.20.2, tmpfs, commit 4b28f50" */
export function machineOf({ machine, filesystem }: ResultRecord): string {
  const commit = machine.commit === null ? [] : [`commit ${machine.commit}`];
  const { processor, cores, memoryGiB, kernel, node } = machine;
  return [processor, `${cores} cores`, `${memoryGiB} GiB`, kernel, `Node ${node}`, filesystem, ...commit].join(", ");
}

function rangeOf(values: readonly number[]): string {
  if (values.length === 0) return "";
  const [lowest, highest] = [Math.min(...values), Math.max(...values)].map((value) => value.toLocaleString("en-US"));
  return lowest === highest ? `${lowest}` : `${lowest}–${highest}`;
}
