import assert from "node:assert/strict";
import fs from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";

const ROOT = new URL("../../../", import.meta.url).pathname;
const PAGE = fs.readFileSync(`${ROOT}docs/security.md`, "utf8");

test("every test that docs/security.md names is there, and every file of attacks is named", () => {
  const named = new Set<string>();
  for (const row of PAGE.split("\n").filter((line) => line.startsWith("| ") && line.includes("../test/attacks/"))) {
    // "[junk](../test/attacks/junk.test.ts): a socket; a device; [names](…): …"
    for (const [, file = "", claims = ""] of row.matchAll(/\(\.\.\/test\/attacks\/([a-z-]+\.test\.ts)\): ([^[|]+)/g)) {
      named.add(file);
      const source = fs.readFileSync(`${ROOT}test/attacks/${file}`, "utf8");
      for (const claim of claims
        .split(";")
        .map((each) => each.trim())
        .filter(Boolean)) {
        assert.ok(source.includes(claim), `${file} has no test "${claim}"`);
      }
    }
  }
  const files = fs.readdirSync(`${ROOT}test/attacks`).filter((name) => name.endsWith(".test.ts"));
  const missing = files.filter((name) => !named.has(name) && name !== basename(import.meta.url).replace(".js", ".ts"));
  assert.deepEqual(missing, []);
});
