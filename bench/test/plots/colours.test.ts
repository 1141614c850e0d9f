import assert from "node:assert/strict";
import { test } from "node:test";
import { drawSvg } from "../../plots/adaptive-svg.js";
import { ALL_TONES, COLOURS, strokeOf } from "../../plots/colours.js";
import { FIGURES } from "../../plots/figures.js";
import { sampleRun } from "./sample-records.js";

/** What WCAG 2 asks for: text, and what is not text but has to be told from its ground. */
const TEXT_CONTRAST = 4.5;
const SHAPE_CONTRAST = 3;

const ground = toneOf(COLOURS.ground);

for (const scheme of ["light", "dark"] as const) {
  test(`every text and every line stands out from its ground where it is ${scheme}`, () => {
    const { ground: _ground, rule: _rule, peerBar, ...texts } = COLOURS;
    for (const colour of Object.values(texts)) {
      assert.ok(contrast(toneOf(colour)[scheme], ground[scheme]) >= TEXT_CONTRAST, `${colour}, ${scheme}`);
    }
    assert.ok(contrast(toneOf(peerBar)[scheme], ground[scheme]) >= SHAPE_CONTRAST);
  });
}

test("every colour of every figure has a counterpart on dark ground", () => {
  for (const { name, scenarios, draw } of FIGURES) {
    const drawing = draw(scenarios.flatMap((scenario) => sampleRun(scenario)));
    assert.ok(drawing !== undefined);
    const svg = drawSvg(drawing);
    for (const [, property, colour] of svg.matchAll(/ (fill|stroke)="([^"]+)"/g)) {
      if (colour !== "none") assert.ok(svg.includes(`[${property}="${colour}"]{`), `${property} ${colour} of ${name}`);
    }
  }
});

test("no two light colours are the same, or the dark ones could not be told from them", () => {
  assert.equal(new Set(ALL_TONES.map(({ light }) => light)).size, ALL_TONES.length);
});

test("no two transports are drawn the same, and only the spool is drawn in its colour", () => {
  const transports = ["spool", "raw-socket", "redis-pubsub", "redis-streams", "nats-core", "jetstream", "mosquitto"];
  transports.push(
    "redis-pubsub-unix",
    "bullmq",
    "sqlite-queue",
    "node-ipc",
    "naive-spool",
    "floor-inotify",
    "floor-rename",
    "floor-seqpacket",
  );
  assert.equal(new Set(transports.map((name) => JSON.stringify(strokeOf(name)))).size, transports.length);
  assert.deepEqual(
    transports.filter((name) => strokeOf(name).colour === COLOURS.spool),
    ["spool"],
  );
});

function toneOf(colour: string): { light: string; dark: string } {
  const tone = ALL_TONES.find(({ light }) => light === colour);
  assert.ok(tone !== undefined);
  return tone;
}

/** https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrast(one: string, other: string): number {
  const [brighter = 0, darker = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (brighter + 0.05) / (darker + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
