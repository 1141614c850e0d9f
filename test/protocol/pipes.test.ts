import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { test } from "node:test";
import { PersonalSpool } from "../support/personal-spool.js";
import { NEEDS_PYTHON, posixPath, writePrograms } from "./programs.js";

const MESSAGES = [1, "two", { text: "grüße 😀" }, ["p".repeat(100_000)], null];

test("sh sends through a pipe with POSIX tools alone", async (context) => {
  const spool = await PersonalSpool.make(context);
  await sends(spool, "sh", [writePrograms(spool.scratchDir).pipeSend], posixPath(spool.scratchDir));
});

test("Python sends through a pipe likewise", { skip: NEEDS_PYTHON }, async (context) => {
  const spool = await PersonalSpool.make(context);
  await sends(spool, "python3", [writePrograms(spool.scratchDir).pythonPipeSend], process.env["PATH"] ?? "");
});

async function sends(spool: PersonalSpool, command: string, args: string[], path: string): Promise<void> {
  const bus = await spool.bus();
  const pipes = await bus.pipes();
  const sender = spawn(command, [...args, bus.user], {
    env: { PATH: path, AGENTBUS_SPOOL: spool.path },
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = once(sender, "exit");
  sender.stdin.end(MESSAGES.map((data) => `${JSON.stringify(data)}\n`).join(""));
  const received: unknown[] = [];
  for await (const { data, sender: by, envelope } of pipes) {
    received.push(data);
    assert.deepEqual([by.user, envelope.to], [bus.user, `@${bus.user}`]);
    if (received.length === MESSAGES.length) break;
  }
  assert.deepEqual(received, MESSAGES);
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual(pipes.stats.refused, {});
  assert.deepEqual(fs.readdirSync(`${spool.path}/pipes/${bus.user}`), []);
}
