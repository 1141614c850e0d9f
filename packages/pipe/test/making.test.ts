import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { test, type TestContext } from "node:test";
import { isBusError } from "@agentbus/core";
import { mkfifo } from "#pipe/send/mkfifo.js";
import { inArena } from "./support/stage.js";

function place(context: TestContext): string {
  const dir = fs.mkdtempSync(`${tmpdir()}/agentbus-mkfifo-`);
  context.after(() => fs.rmSync(dir, { recursive: true }));
  return `${dir}/pipe`;
}

test("a FIFO is made by the first mkfifo that there is, for its owner and to be read by the group, whatever the umask", async (context) => {
  const path = place(context);
  const umask = process.umask(0o777);
  try {
    await mkfifo(path, ["/nowhere/mkfifo", "/usr/bin/mkfifo", "/bin/mkfifo"]);
  } finally {
    process.umask(umask);
  }
  const stat = fs.lstatSync(path);
  assert.ok(stat.isFIFO());
  assert.equal(stat.mode & 0o7777, 0o640);
});

test("where there is no mkfifo the error names what to install", (context) =>
  assert.rejects(mkfifo(place(context), ["/nowhere/mkfifo", "/nor/here/mkfifo"]), (error) => {
    assert.ok(isBusError(error) && error.code === "ERR_PLATFORM");
    assert.match(error.message, /no mkfifo at \/nowhere\/mkfifo or \/nor\/here\/mkfifo/);
    assert.match(error.fix ?? "", /apt-get install coreutils/);
    return true;
  }));

test("what mkfifo complains of, and a program that cannot be run, is an error that says so", async (context) => {
  const path = place(context);
  fs.writeFileSync(path, "");
  await assert.rejects(mkfifo(path), (error) => {
    assert.ok(isBusError(error) && error.code === "ERR_IO");
    assert.ok(error.message.includes(path) && /exist/i.test(error.message), error.message);
    return true;
  });
  await assert.rejects(mkfifo(path, ["/etc/passwd"]), (error) => {
    assert.ok(isBusError(error) && error.code === "ERR_IO");
    assert.match(error.message, /\/etc\/passwd: EACCES/);
    return true;
  });
});

/** Sends 3 messages to itself, and prints what came and how much a pipe holds. */
const PROGRAM = `
  const { openBus } = await import("@agentbus/core");
  const { widen } = await import(process.env.PIPE_CAPACITY);
  const bus = await openBus({ spool: process.env.SPOOL });
  const got = [];
  let done;
  const all = new Promise((resolve) => (done = resolve));
  await bus.pipes(({ data }) => got.push(data) === 3 && done());
  const pipe = await bus.pipe("@" + bus.user);
  for (let i = 0; i < 3; i++) await pipe.send(i);
  await all;
  await bus.drain();
  const { openSync, constants } = await import("node:fs");
  const fd = openSync(process.env.FIFO, constants.O_RDONLY | constants.O_NONBLOCK);
  console.log(JSON.stringify({ got, capacity: await widen(fd) }));
`;
/** Has \`import("koffi")\` fail, as where it was left out. */
const WITHOUT_KOFFI = `
  import { register } from "node:module";
  const hooks = "export async function resolve(name, context, next) {"
    + " if (name === 'koffi') throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });"
    + " return next(name, context); }";
  register("data:text/javascript," + encodeURIComponent(hooks));
`;

function sendThree(spool: string, fifo: string, preload: string[]): { got: unknown; capacity: number } {
  const { stdout, stderr } = spawnSync(process.execPath, [...preload, "--input-type=module", "--eval", PROGRAM], {
    encoding: "utf8",
    cwd: import.meta.dirname,
    env: {
      ...process.env,
      SPOOL: spool,
      FIFO: fifo,
      PIPE_CAPACITY: new URL(import.meta.resolve("#pipe/send/pipe-capacity.js")).href,
    },
  });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as { got: unknown; capacity: number };
}

test("pipes hold 256 KiB with koffi on Linux; without it they hold what the kernel gives them, and carry just as well", (context) =>
  inArena(async (arena) => {
    const fifo = place(context);
    await mkfifo(fifo);
    const preload = ["--import", `data:text/javascript,${encodeURIComponent(WITHOUT_KOFFI)}`];
    assert.deepEqual(sendThree(arena.spool, fifo, preload), { got: [0, 1, 2], capacity: 64 * 1024 });
    const capacity = process.platform === "linux" ? 256 * 1024 : 64 * 1024;
    assert.deepEqual(sendThree(arena.spool, fifo, []), { got: [0, 1, 2], capacity });
  }));
