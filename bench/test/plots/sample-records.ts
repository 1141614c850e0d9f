import type { ResultRecord } from "../../plots/result-record.js";

/** A run of two peers in one scenario, as the bench writes it; `changes` go into every record. */
export function sampleRun(scenario: string, changes: Partial<ResultRecord> = {}): ResultRecord[] {
  return [sampleRecord(scenario, "spool", changes), sampleRecord(scenario, "nats-core", changes)];
}

export function sampleRecord(scenario: string, transport: string, changes: Partial<ResultRecord> = {}): ResultRecord {
  return {
    scenario,
    startedAt: "2025-01-02T03:04:05.678Z",
    machine: {
      processor: "Processor",
      cores: 2,
      memoryGiB: 8,
      kernel: "Linux 6",
      node: "20.20.0",
      commit: "0123456789ab",
      loadBefore: 0,
    },
    filesystem: "tmpfs",
    configuration: {
      bytes: 512,
      perSecond: 500,
      window: null,
      durability: transport === "spool" ? "process" : "nothing",
      subscribers: Number(/^fan-out-(\d+)$/.exec(scenario)?.[1] ?? 1),
      rounds: 3,
      count: 1_000,
    },
    transport,
    description: `what ${transport} is`,
    rounds: [100, 120, 90].map((value) => ({
      p50Us: value,
      messagesPerSecond: value * 1_000,
      publisherCpuUs: value / 10,
      firstMessageMs: value,
      peakRssMiB: value / 2,
    })),
    curve: [0, 50, 90, 99, 99.9, 100].map((percentile) => [percentile, 80 + percentile] as const),
    losses: { lost: 0, reordered: 0, repeated: 0 },
    isClean: true,
    ...changes,
  };
}
