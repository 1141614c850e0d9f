import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { BusError, ERROR_CODES, isBusError } from "#core/errors.js";

interface Row {
  readonly code: string;
  readonly meaning: string;
  readonly remedy: string;
  readonly exitCode: number;
}

const repository = new URL("../../../../", import.meta.url);
const table = JSON.parse(readFileSync(new URL("schemas/errors.json", repository), "utf8")) as Row[];
const page = readFileSync(new URL("docs/errors.md", repository), "utf8");
const reasons = (
  JSON.parse(readFileSync(new URL("schemas/reason.schema.json", repository), "utf8")) as {
    properties: { reason: { enum: string[] } };
  }
).properties.reason.enum;

describe("the error table", () => {
  test("has a row for every code that the code throws, and no other", () => {
    assert.deepEqual(codes().toSorted(), ERROR_CODES.toSorted());
  });

  test("names no code twice", () => {
    assert.equal(new Set(codes()).size, table.length);
  });

  test("says of each code in sentences what it means and what to do", () => {
    for (const { code, meaning, remedy } of table) {
      assert.match(meaning, /^[A-Za-z].{20,}\.$/, code);
      assert.match(remedy, /^[A-Za-z].{20,}\.$/, code);
    }
  });

  test("gives 124 to a timeout, as timeout(1) does, and 1 to everything else", () => {
    for (const { code, exitCode } of table) assert.equal(exitCode, code === "ERR_TIMEOUT" ? 124 : 1, code);
  });
});

describe("docs/errors.md", () => {
  test("has a section for every code, and for no other", () => {
    assert.deepEqual(
      sections("###").filter((title) => title.startsWith("ERR_")),
      codes(),
    );
  });

  test("says in each section what the table says", () => {
    for (const { code, meaning, remedy } of table) {
      assert.equal(sectionOf(`### ${code}`), `${meaning} **What to do:** ${remedy}`);
    }
  });

  test("has a section for every reason of a dead letter, and for no other", () => {
    assert.deepEqual(sections("####").toSorted(), reasons.map((reason) => `\`${reason}\``).toSorted());
  });

  test("says for every reason what to do", () => {
    for (const reason of reasons) assert.match(sectionOf(`#### \`${reason}\``), /. \*\*What to do:\*\* [A-Z].*\.$/);
  });
});

describe("isBusError", () => {
  test("recognises an error of another copy of the package, and no error of anybody else", () => {
    const error = new BusError("ERR_BUSY", "cannot subscribe");
    assert.ok(isBusError(error));
    assert.ok(isBusError({ [Symbol.for("agentbus.BusError")]: true, code: "ERR_BUSY" }));
    for (const other of [new Error("ERR_BUSY"), { code: "ERR_BUSY" }, "ERR_BUSY", null, undefined]) {
      assert.ok(!isBusError(other));
    }
  });
});

function codes(): string[] {
  return table.map(({ code }) => code);
}

function sections(level: string): string[] {
  return page
    .split("\n")
    .filter((line) => line.startsWith(`${level} `))
    .map((line) => line.slice(level.length + 1));
}

/** The text under a heading, as one line. */
function sectionOf(heading: string): string {
  const [, text = ""] = `${page}\n#`.split(`\n${heading}\n`);
  return (text.split(/\n#+ /)[0] ?? "").replaceAll(/\s+/g, " ").replace(/#$/, "").trim();
}
