import assert from "node:assert/strict";
import { test } from "node:test";
import { distributionOf, medianOf } from "#cli/bench/distribution.js";
import { canDrawBlocks, drawHistogram, histogramOf } from "#cli/bench/histogram.js";
import type { Latency, Measurements } from "#cli/bench/measure.js";
import { planFor } from "#cli/bench/plan.js";
import { reportLines, resultOf } from "#cli/bench/report.js";
import type { Check } from "#cli/bench/serial-check.js";

test("a histogram's buckets follow each other from the lowest to the highest sample, and hold each once", () => {
  const samplesUs = [99.9, 100, 149, 150, 1_000, 4_700];
  assert.deepEqual(
    histogramOf(samplesUs.map((us) => us * 1_000)).map(({ fromUs, toUs, count }) => [fromUs, toUs, count]),
    [
      [68, 100, 1],
      [100, 150, 2],
      [150, 220, 1],
      [220, 330, 0],
      [330, 470, 0],
      [470, 680, 0],
      [680, 1_000, 0],
      [1_000, 1_500, 1],
      [1_500, 2_200, 0],
      [2_200, 3_300, 0],
      [3_300, 4_700, 0],
      [4_700, 6_800, 1],
    ],
  );
  assert.deepEqual(histogramOf([0, 9_999, 10_000]), [
    { fromUs: 0, toUs: 10, count: 2 },
    { fromUs: 10, toUs: 15, count: 1 },
  ]);
});

test("the longest bar is as wide as there is room, and whatever is not nothing has one", () => {
  const buckets = [
    { fromUs: 68, toUs: 100, count: 1 },
    { fromUs: 100, toUs: 150, count: 1_000 },
    { fromUs: 150, toUs: 220, count: 0 },
    { fromUs: 220, toUs: 330, count: 550 },
  ];
  assert.deepEqual(drawHistogram(buckets, 10, true), [
    " 68–100     1  ▏",
    "100–150  1000  ██████████",
    "150–220     0",
    "220–330   550  █████▌",
  ]);
  assert.deepEqual(drawHistogram(buckets, 10, false), [
    " 68-100     1  #",
    "100-150  1000  ##########",
    "150-220     0",
    "220-330   550  ######",
  ]);
});

test("blocks are drawn where the locale has them and the terminal is not a dumb one", () => {
  assert.equal(canDrawBlocks({ LANG: "de_DE.UTF-8", TERM: "xterm" }), true);
  assert.equal(canDrawBlocks({ LANG: "C", LC_CTYPE: "C.utf8" }), true);
  assert.equal(canDrawBlocks({ LANG: "de_DE.UTF-8", LC_ALL: "C" }), false);
  assert.equal(canDrawBlocks({ LANG: "de_DE.UTF-8", TERM: "dumb" }), false);
  assert.equal(canDrawBlocks({}), false);
});

test("a percentile is a value that was measured", () => {
  const samplesNs = Array.from({ length: 100 }, (_, index) => (100 - index) * 1_000);
  assert.deepEqual(distributionOf(samplesNs), { p50Us: 50, p90Us: 90, p99Us: 99, maxUs: 100 });
  assert.deepEqual(distributionOf([1_234]), { p50Us: 1.2, p90Us: 1.2, p99Us: 1.2, maxUs: 1.2 });
  assert.deepEqual([medianOf([3, 1, 2]), medianOf([4, 1, 2, 3]), medianOf([7])], [2, 2, 7]);
});

test("a run that lost, repeated or reordered anything, on either transport, is not clean and says what", () => {
  const clean: Check = { sent: 10, lost: 0, repeated: 0, reordered: 0 };
  const verdictOf = (spool: Check, socket: Check) => {
    const result = resultOf(MACHINE, "/tmp", planFor(10), { ...MEASURED, check: { spool, socket } });
    return [result.isClean, reportLines(result, (_, text) => text, true).at(-1)];
  };
  assert.deepEqual(verdictOf(clean, clean), [true, "spool: lost 0, repeated 0, reordered 0, of 10 messages"]);
  for (const wrong of [{ lost: 1 }, { repeated: 1 }, { reordered: 1 }]) {
    const check = { ...clean, ...wrong };
    const { lost, repeated, reordered } = check;
    const words = `lost ${lost}, repeated ${repeated}, reordered ${reordered}, of 10 messages`;
    assert.deepEqual(verdictOf(check, clean), [false, `spool: ${words}`]);
    assert.deepEqual(verdictOf(clean, check), [false, `socket: ${words}`]);
  }
});

test("the ratio is what the spool takes for what the socket takes", () => {
  const { ratio } = resultOf(MACHINE, "/tmp", planFor(10), MEASURED);
  assert.deepEqual(ratio, { p50: 2, p90: 2, p99: 2 });
});

const MACHINE = {
  processor: "Z80",
  cores: 1,
  kernel: "Linux 6",
  filesystem: "ext4",
  node: "20.19.0",
  agentbus: "0.1.0",
  loadBefore: 0,
};

const CLEAN: Check = { sent: 2, lost: 0, repeated: 0, reordered: 0 };
const IN_TURN = { perSecond: 1_000, ...distributionOf([1_000_000]) };
const MEASURED: Measurements = {
  latency: { spool: latencyOf([100_000, 200_000]), socket: latencyOf([50_000, 100_000]) },
  throughput: { perSecond: 10_000, bursts: [{ messages: 5_000, perSecond: 10_000 }] },
  awaited: IN_TURN,
  request: IN_TURN,
  check: { spool: CLEAN, socket: CLEAN },
};

function latencyOf(samplesNs: readonly number[]): Latency {
  const distribution = distributionOf(samplesNs);
  return { ...distribution, rounds: [distribution], histogram: histogramOf(samplesNs) };
}
