import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

const docs = new URL("../../docs/", import.meta.url);

test("every link of docs/failures.md leads to a test, a page or a heading that exists", () => {
  const page = fs.readFileSync(new URL("failures.md", docs), "utf8");
  const links = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, target = ""]) => target);
  assert.ok(links.length > 50);
  for (const target of links) {
    const [file = "", anchor] = target.split("#");
    const text = fs.readFileSync(new URL(file === "" ? "failures.md" : file, docs), "utf8");
    if (anchor !== undefined) assert.ok(anchorsOf(text).includes(anchor), target);
  }
});

function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}
