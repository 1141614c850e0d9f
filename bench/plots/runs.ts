import type { ResultRecord } from "./result-record.js";

/** The filesystems that were measured on, in the order of the records. */
export function filesystemsIn(records: readonly ResultRecord[]): string[] {
  return [...new Set(records.map(({ filesystem }) => filesystem))];
}

/**
 * What a figure is drawn from: of each scenario, the latest run on one filesystem, and nothing of earlier ones. A machine's
 * speed drifts from one run to the next, so bars of two runs side by side would compare minutes, not transports.
 *
 * @throws Error when the scenarios come from different machines
 */
export function latestRuns(
  records: readonly ResultRecord[],
  scenarios: readonly string[],
  filesystem: string,
): ResultRecord[] {
  const chosen = scenarios.flatMap((scenario) =>
    latest(records.filter((record) => record.scenario === scenario && record.filesystem === filesystem)),
  );
  const machines = new Set(
    chosen.map(({ machine }) => `${machine.processor}, ${machine.kernel}, Node ${machine.node}`),
  );
  if (machines.size > 1) {
    throw new Error(
      `cannot plot ${scenarios.join(" with ")}: the latest runs are of ${machines.size} machines ` +
        `(${[...machines].join("; ")}); give the files of one machine`,
    );
  }
  return chosen;
}

function latest(records: readonly ResultRecord[]): ResultRecord[] {
  const startedAt = records
    .map((record) => record.startedAt)
    .sort()
    .at(-1);
  return records.filter((record) => record.startedAt === startedAt);
}
