import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { exampleAt, page, programsOfPage } from "./programs.js";

test("the programs of docs/protocol.md are the examples", () => {
  const programs = programsOfPage();
  assert.deepEqual([...programs.keys()].sort(), [
    "examples/python/agentbus.py",
    "examples/python/pipe_send.py",
    "examples/shell/pipe-send.sh",
    "examples/shell/publish.sh",
    "examples/shell/subscribe.sh",
  ]);
  for (const [path, program] of programs) assert.equal(squeeze(program), squeeze(exampleAt(path)), path);
});

test("every link within docs/protocol.md leads somewhere", () => {
  const headings = (text: string) =>
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, "")
        .replaceAll(" ", "-"),
    );
  for (const [, target = ""] of page.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
    const [path = "", anchor] = target.split("#");
    const url = new URL(path === "" ? "protocol.md" : path, new URL("../../../docs/", import.meta.url));
    assert.ok(fs.existsSync(url), target);
    if (anchor !== undefined) assert.ok(headings(fs.readFileSync(url, "utf8")).includes(anchor), target);
  }
});

/** Blank lines between fragments do not matter. */
function squeeze(text: string): string {
  return text.replaceAll(/\n{2,}/g, "\n").trim();
}
