import assert from "node:assert/strict";
import { test } from "node:test";
import { painterFor } from "#cli/colour.js";
import { MessageLines, type ShownMessage } from "#cli/message-line.js";
import { printable, toIndentedJson, toJson } from "#cli/printable.js";
import { formatTable } from "#cli/table.js";
import { formatDuration, parseDuration, parseWhole } from "#cli/values.js";

const HOSTILE =
  Array.from({ length: 0x100 }, (_, code) => String.fromCharCode(code)).join("") + "\u2028\u202e\u2066\ufeff";

test("made printable, text holds nothing that a terminal obeys", () => {
  const text = printable(HOSTILE);
  assert.ok(Array.from(text).every((unit) => unit >= " " && unit !== "\x7f" && !(unit >= "\x80" && unit <= "\x9f")));
  assert.match(text, /\\u001b.+\\u009b.+\\u2028\\u202e\\u2066\\ufeff$/);
  assert.equal(printable("größe 漢字 🚀"), "größe 漢字 🚀");
});

test("JSON for a terminal says the same as any other JSON", () => {
  const value = { [HOSTILE]: [HOSTILE, "\ud800", null, 1.5] };
  for (const text of [toJson(value), toIndentedJson(value)]) {
    assert.deepEqual(JSON.parse(text), value);
    assert.equal(printable(text, "\n"), text);
  }
  assert.equal(toJson(undefined), "null");
});

test("colours are for terminals only, and NO_COLOR and TERM=dumb are respected", (context) => {
  const env = { ...process.env };
  context.after(() => (process.env = env));
  delete process.env["NO_COLOR"];
  process.env["TERM"] = "xterm";
  const paintOn = (isTTY: boolean) => painterFor({ isTTY } as NodeJS.WriteStream)("red", "text");
  assert.equal(paintOn(true), "\x1b[31mtext\x1b[0m");
  assert.equal(paintOn(false), "text");
  process.env["NO_COLOR"] = "1";
  assert.equal(paintOn(true), "text");
  process.env["NO_COLOR"] = "";
  process.env["TERM"] = "dumb";
  assert.equal(paintOn(true), "text");
});

test("a message's line shows whatever an envelope may hold", () => {
  const lines = new MessageLines((_, text) => text, 20);
  const time = "2026-01-01T00:00:00.000Z";
  const shown = (more: object): ShownMessage => ({
    envelope: { specversion: "1.0", id: "1", source: "/agents/a", type: "t", topic: "t", time, ...more },
    sender: { user: "a", uid: 1 },
    subscription: "a~b",
    attempt: 1,
  });
  const text = (more: object) => lines.ofMessage(shown(more), Date.parse(time) + 61_000).replace(/^\S+ +t +a +/, "");
  assert.equal(text({}), "1 min");
  assert.equal(text({ data: null }), "1 min  null");
  assert.equal(
    text({ data: "x".repeat(30), hops: 3 }),
    `1 min  hop 3  "${"x".repeat(19)}… 12 more characters (--json shows all)`,
  );
  assert.equal(text({ data_base64: "AAAA" }), "1 min  <3 bytes of data>");
  assert.equal(text({ dataref: "file:///x" }), "1 min  <at file:///x>");
  assert.equal(
    lines.ofMessage({ ...shown({ time: "9999-01-01T00:00:00Z" }), attempt: 2 }, 0).includes("attempt 2"),
    true,
  );
});

test("a table keeps its columns straight, numbers to the right", () => {
  const table = formatTable(
    ["NAME", "N"],
    [
      ["a", 5],
      ["longer", 10],
      ["x", "?"],
    ],
  );
  assert.deepEqual(table, ["NAME     N", "a        5", "longer  10", "x        ?"]);
});

test("durations and numbers are read strictly", () => {
  const good = { "500ms": 500, "30s": 30_000, "10m": 600_000, "1.5h": 5_400_000, "1d": 86_400_000 };
  for (const [text, ms] of Object.entries(good)) assert.equal(parseDuration(text), ms);
  for (const text of ["", "30", "s", "-1s", "1 s", "0s", "1y", "25d", "1e3s", "Infinitys"]) {
    assert.throws(() => parseDuration(text), /a number and a unit/, text);
  }
  assert.equal(parseWhole(1, 9)("9"), 9);
  for (const text of ["", "0", "10", "1.0", "+1", " 1", "1e0", "x"])
    assert.throws(() => parseWhole(1, 9)(text), /whole number/, text);
  assert.deepEqual([0, 999, 1_000, 59_999, 60_000, 7_200_000, 200_000_000, -5_000].map(formatDuration), [
    ...["0 ms", "999 ms", "1 s", "59 s", "1 min", "2 h", "2 d", "-5 s"],
  ]);
});
