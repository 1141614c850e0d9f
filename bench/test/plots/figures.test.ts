import assert from "node:assert/strict";
import { test } from "node:test";
import { drawSvg } from "../../plots/adaptive-svg.js";
import { FIGURES, type Figure } from "../../plots/figures.js";
import type { ResultRecord } from "../../plots/result-record.js";
import { sampleRecord, sampleRun } from "./sample-records.js";

for (const figure of FIGURES) {
  test(`${figure.name} names every transport, what it was measured with and on`, () => {
    const svg = svgOf(figure, recordsFor(figure));
    for (const words of ["spool", "nats-core", "512 bytes", "Processor, 2 cores", "tmpfs", "commit 0123456789ab"]) {
      assert.ok(textsOf(svg).includes(words), `${words} is in ${textsOf(svg)}`);
    }
  });

  test(`${figure.name} is the same to the byte when it is drawn again`, () => {
    const records = recordsFor(figure);
    // Not assert.equal, which would print both.
    assert.ok(svgOf(figure, records) === svgOf(figure, records));
  });

  test(`${figure.name} marks a transport that lost messages, and shows no number of it`, () => {
    const lossy = { losses: { lost: 12, reordered: 0, repeated: 1 }, isClean: false };
    const records = figure.scenarios.flatMap((scenario) => [
      sampleRecord(scenario, "spool"),
      sampleRecord(scenario, "nats-core", {
        ...lossy,
        rounds: [{ p50Us: 77, messagesPerSecond: 77, publisherCpuUs: 77, firstMessageMs: 77, peakRssMiB: 77 }],
      }),
    ]);
    const texts = textsOf(svgOf(figure, records));
    assert.match(texts, /nats-core FAILED: 12 lost, 1 repeated\./);
    assert.doesNotMatch(texts, /\b77\b/);
  });

  test(`${figure.name} also names a transport of which nothing arrived`, () => {
    const silent = {
      isClean: false,
      failure: "its server went away",
      rounds: [{}],
      curve: [],
      losses: { lost: 1_000, reordered: 0, repeated: 0 },
    };
    const records = figure.scenarios.flatMap((scenario) => [
      sampleRecord(scenario, "spool"),
      sampleRecord(scenario, "nats-core", silent),
    ]);
    assert.match(textsOf(svgOf(figure, records)), /nats-core FAILED: 1,000 lost; its server went away\./);
  });

  test(`${figure.name} is not drawn from nothing`, () => {
    assert.equal(figure.draw([]), undefined);
    assert.equal(figure.draw(recordsFor(figure).map((record) => ({ ...record, rounds: [], curve: [] }))), undefined);
  });

  test(`${figure.name} shows names as they are, also those that XML would take for its own`, () => {
    const records = figure.scenarios.flatMap((scenario) => [
      sampleRecord(scenario, "spool"),
      sampleRecord(scenario, `a<b>&"c`),
    ]);
    const svg = svgOf(figure, records);
    assert.ok(svg.includes("a&lt;b&gt;&amp;"));
    assert.ok(!svg.includes("<b>"));
  });
}

test("a transport that may reorder is not marked as failed, and what it did is said", () => {
  const records = [
    sampleRecord("throughput", "spool"),
    sampleRecord("throughput", "naive-spool", { losses: { lost: 0, reordered: 37, repeated: 0 } }),
  ];
  const texts = textsOf(svgOf(figureOf("throughput"), records));
  assert.match(texts, /naive-spool: 37 reordered, which it may\./);
  assert.doesNotMatch(texts, /FAILED/);
});

test("bars begin at zero and say their median and their spread", () => {
  const texts = textsOf(svgOf(figureOf("throughput"), sampleRun("throughput")));
  assert.match(texts, /^0$/m);
  assert.match(texts, /100,000 \(90,000–120,000\)/);
});

test("what fails comes after everybody else, however fast it was", () => {
  const texts = textsOf(
    svgOf(figureOf("throughput"), [
      sampleRecord("throughput", "spool"),
      sampleRecord("throughput", "nats-core", {
        rounds: [{ messagesPerSecond: 9e9 }],
        losses: { lost: 1, reordered: 0, repeated: 0 },
        isClean: false,
      }),
    ]),
  );
  assert.match(texts, /^spool$[^]*^nats-core$/m);
});

function figureOf(name: string): Figure {
  const figure = FIGURES.find((other) => other.name === name);
  assert.ok(figure !== undefined);
  return figure;
}

function recordsFor({ scenarios }: Figure): ResultRecord[] {
  return scenarios.flatMap((scenario) => sampleRun(scenario));
}

function svgOf(figure: Figure, records: readonly ResultRecord[]): string {
  const drawing = figure.draw(records);
  assert.ok(drawing !== undefined);
  return drawSvg(drawing);
}

/** What a reader reads, a line for each piece of text. */
function textsOf(svg: string): string {
  return [...svg.matchAll(/<(?:text|tspan)[^>]*>([^<]*)</g)].map(([, text]) => text).join("\n");
}
