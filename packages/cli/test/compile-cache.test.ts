import assert from "node:assert/strict";
import fs from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { Sandbox } from "./support/sandbox.js";

const skip = reasonToSkip();

test("compiled code is kept where nobody else can get at it", { skip }, async (context) => {
  const { cacheHome, publish } = prepare(context);
  await publish();
  await publish();
  assert.equal(fs.statSync(cacheHome).mode & 0o777, 0o700);
  assert.equal(fs.statSync(join(cacheHome, "agentbus")).mode & 0o777, 0o700);
  assert.notEqual(kept(cacheHome).length, 0);
});

test("compiled code that was cut off or changed does no harm", { skip }, async (context) => {
  const { cacheHome, publish } = prepare(context);
  await publish();
  for (const path of kept(cacheHome)) fs.truncateSync(path, fs.statSync(path).size >> 1);
  await publish();
  for (const path of kept(cacheHome)) fs.writeFileSync(path, fs.readFileSync(path).fill(0x55, 40));
  await publish();
});

test("a directory that others may write to or look into holds no compiled code", { skip }, async (context) => {
  const { cacheHome, publish } = prepare(context);
  fs.mkdirSync(join(cacheHome, "agentbus"), { recursive: true });
  fs.chmodSync(join(cacheHome, "agentbus"), 0o750);
  await publish();
  fs.chmodSync(join(cacheHome, "agentbus"), 0o700);
  fs.chmodSync(cacheHome, 0o777);
  await publish();
  assert.deepEqual(kept(cacheHome), []);
});

test("below a directory that others may write to, nothing is made", { skip }, async (context) => {
  const { cacheHome, publish } = prepare(context);
  fs.mkdirSync(cacheHome);
  fs.chmodSync(cacheHome, 0o1777);
  await publish();
  assert.deepEqual(fs.readdirSync(cacheHome), []);
});

test("where the directory would be, something else does no harm", { skip }, async (context) => {
  const { cacheHome, publish } = prepare(context);
  fs.writeFileSync(cacheHome, "");
  await publish();
  fs.rmSync(cacheHome);
  fs.mkdirSync(cacheHome);
  const elsewhere = join(dirname(cacheHome), "elsewhere");
  fs.mkdirSync(elsewhere, 0o700);
  fs.symlinkSync(elsewhere, join(cacheHome, "agentbus"));
  await publish();
  assert.deepEqual(fs.readdirSync(elsewhere), []);
});

/** In the real home, since whatever lies in /tmp lies in a directory that others may write to. */
function prepare(context: TestContext): { cacheHome: string; publish: () => Promise<void> } {
  const sandbox = Sandbox.make(context);
  const dir = fs.mkdtempSync(join(homedir(), ".agentbus-test-"));
  context.after(() => fs.rmSync(dir, { recursive: true }));
  const cacheHome = join(dir, "cache");
  return {
    cacheHome,
    publish: async () => {
      const { code, stdout, stderr } = await sandbox.run(["publish", "a.b", "1"], {
        env: { XDG_CACHE_HOME: cacheHome },
      });
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^[0-9A-Z]{26}\n$/);
    },
  };
}

/** The files of compiled code: Node has a directory of its own for each of its versions. */
function kept(cacheHome: string): string[] {
  const dir = join(cacheHome, "agentbus");
  if (!fs.existsSync(dir)) return [];
  return fs
    .readdirSync(dir)
    .flatMap((version) => fs.readdirSync(join(dir, version)).map((name) => join(dir, version, name)));
}

function reasonToSkip(): string | false {
  if (!("enableCompileCache" in module)) return "this Node keeps no compiled code; it does from 22.1 on";
  const { uid, mode } = fs.statSync(homedir());
  return uid === process.geteuid?.() && (mode & 0o022) === 0 ? false : "needs a home that only this account writes to";
}
