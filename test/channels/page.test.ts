import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import fs from "node:fs";
import { userInfo } from "node:os";
import { test } from "node:test";
import { promisify } from "node:util";
import { PersonalSpool } from "../support/personal-spool.js";

const root = new URL("../../../", import.meta.url);
const page = fs.readFileSync(new URL("docs/channels.md", root), "utf8");

test("the program about pipes in docs/channels.md does what it says", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [, program = ""] = /^<!-- a test runs this -->\n\n```js\n([^]*?)^```$/m.exec(page) ?? [];
  // The page's receiver runs on.
  const ending = `\nsetTimeout(() => codebot.drain().then(() => bus.drain()), 0);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program + ending], {
    cwd: root,
    env: { ...process.env, AGENTBUS_SPOOL: spool.path },
  });
  const { username } = userInfo();
  assert.deepEqual(
    stdout.trim().split("\n"),
    [1, 2, 3].map((line) => `${username} { line: ${line} }`),
  );
});

test("the program about sockets in docs/channels.md does what it says", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [, program = ""] = /^## Sockets\n\n<!-- a test runs this -->\n\n```js\n([^]*?)^```$/m.exec(page) ?? [];
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: root,
    env: { ...process.env, AGENTBUS_SPOOL: spool.path },
  });
  const { username } = userInfo();
  assert.equal(stdout, `${username} [ '${username} looks for backpressure' ]\n`);
});

test("every link within docs/channels.md leads somewhere", () => {
  for (const [, target = ""] of page.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
    const [path = "", anchor] = target.split("#");
    const url = new URL(path === "" ? "channels.md" : path, new URL("docs/", root));
    assert.ok(fs.existsSync(url), target);
    if (anchor === undefined) continue;
    const headings = [...fs.readFileSync(url, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, "")
        .replaceAll(" ", "-"),
    );
    assert.ok(headings.includes(anchor), target);
  }
});
