import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { FAMILIES } from "#setup/verify/checks.js";

const PAGE = new URL("../../../../../docs/verify.md", import.meta.url);

test("docs/verify.md lists exactly the checks that there are, in their order and with their sentences", () => {
  const page = fs.readFileSync(PAGE, "utf8");
  const listed = [...page.matchAll(/^\| `([a-z-]+)` +\| (.*?) +\|/gm)].map(([, id, sentence]) => [id, sentence]);
  assert.deepEqual(
    listed,
    FAMILIES.flatMap(({ checks }) => checks.map(({ id, sentence }) => [id, sentence])),
  );
});

test("the page has a heading for each family", () => {
  const headings = [...fs.readFileSync(PAGE, "utf8").matchAll(/^### (.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(
    headings,
    FAMILIES.map(({ title }) => title),
  );
});

test("no two checks have the same name", () => {
  const ids = FAMILIES.flatMap(({ checks }) => checks.map(({ id }) => id));
  assert.equal(new Set(ids).size, ids.length);
});
