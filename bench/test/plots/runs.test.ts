import assert from "node:assert/strict";
import { test } from "node:test";
import { parseResults } from "../../plots/result-record.js";
import { latestRuns } from "../../plots/runs.js";
import { sampleRecord, sampleRun } from "./sample-records.js";

test("lines about a bar or a missing peer are passed over", () => {
  const lines = [sampleRecord("idle", "spool"), { bar: {} }, { missing: { transport: "nats-core" } }];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  assert.deepEqual(
    parseResults(text, "x.ndjson").map(({ transport }) => transport),
    ["spool"],
  );
});

test("a line that is no result is refused with its place, the reason and what to give instead", () => {
  assert.throws(() => parseResults('{"bar":{}}\nnonsense', "x.ndjson"), {
    message:
      "cannot plot x.ndjson:2: the line is not a JSON object; give files that npm run bench left in bench/results/",
  });
  const { curve: _curve, losses: _losses, ...incomplete } = sampleRecord("idle", "spool");
  assert.throws(() => parseResults(JSON.stringify(incomplete), "x.ndjson"), /x\.ndjson:1: it has no losses;/);
});

test("a figure shows the latest run of a scenario, and nothing of the runs before it", () => {
  const earlier = sampleRun("throughput", { startedAt: "2024-12-31T00:00:00.000Z" });
  const latest = [sampleRecord("throughput", "spool")];
  assert.deepEqual(latestRuns([...latest, ...earlier], ["throughput"], "tmpfs"), latest);
});

test("a figure shows one filesystem", () => {
  const records = [...sampleRun("throughput"), ...sampleRun("throughput", { filesystem: "ext4" })];
  assert.deepEqual(
    latestRuns(records, ["throughput"], "ext4").map(({ filesystem }) => filesystem),
    ["ext4", "ext4"],
  );
});

test("scenarios that were measured on different machines are not drawn together", () => {
  const [record] = sampleRun("fan-out-1");
  assert.ok(record !== undefined);
  const elsewhere = sampleRun("fan-out-8", { machine: { ...record.machine, processor: "Another" } });
  assert.throws(
    () => latestRuns([record, ...elsewhere], ["fan-out-1", "fan-out-8"], "tmpfs"),
    /give the files of one machine/,
  );
});
