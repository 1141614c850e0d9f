import assert from "node:assert/strict";
import fs from "node:fs";
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

test(
  "compiled code that was cut off or changed at any place does no harm, and is replaced",
  { skip },
  async (context) => {
    const { cacheHome, publish } = prepare(context);
    await publish();
    const [path = ""] = kept(cacheHome);
    const whole = fs.readFileSync(path);
    const damaged = [
      Buffer.alloc(0),
      whole.subarray(0, whole.length >> 1),
      Buffer.from(whole).fill(0, 64),
      ...[10, 70, 100, whole.length >> 2, whole.length - 100].map((place) =>
        Buffer.from(whole).fill(0x55, place, place + 50),
      ),
    ];
    for (const file of damaged) {
      fs.writeFileSync(path, file);
      await publish();
      assert.ok(!fs.readFileSync(path).equals(file), "it is still there");
    }
  },
);

test("what a publish needs is kept, and used by the next one", { skip }, async (context) => {
  const { cacheHome, publish, run } = prepare(context);
  await run(["status"]);
  await run(["publish", "not a topic", "1"]);
  assert.deepEqual(kept(cacheHome), []);
  await publish();
  const [path = ""] = kept(cacheHome);
  const { ino } = fs.statSync(path);
  await publish();
  assert.equal(fs.statSync(path).ino, ino);
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
function prepare(context: TestContext): {
  cacheHome: string;
  run: (words: readonly string[]) => ReturnType<Sandbox["run"]>;
  publish: () => Promise<void>;
} {
  const sandbox = Sandbox.make(context);
  const dir = fs.mkdtempSync(join(homedir(), ".agentbus-test-"));
  context.after(() => fs.rmSync(dir, { recursive: true }));
  const cacheHome = join(dir, "cache");
  const run = (words: readonly string[]) => sandbox.run(words, { env: { XDG_CACHE_HOME: cacheHome } });
  return {
    cacheHome,
    run,
    publish: async () => {
      const { code, stdout, stderr } = await run(["publish", "a.b", "1"]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^[0-9A-Z]{26}\n$/);
    },
  };
}

/** The files with what a publish needs; Node's own are in directories. */
function kept(cacheHome: string): string[] {
  const dir = join(cacheHome, "agentbus");
  if (!fs.existsSync(dir)) return [];
  return fs
    .readdirSync(dir)
    .filter((name) => name.endsWith(".code"))
    .map((name) => join(dir, name));
}

function reasonToSkip(): string | false {
  const { uid, mode } = fs.statSync(homedir());
  return uid === process.geteuid?.() && (mode & 0o022) === 0 ? false : "needs a home that only this account writes to";
}
