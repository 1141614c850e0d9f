import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Bus } from "@agentbus/core";
import { nodeFileSystem, type FileSystem } from "#core/file-system.js";
import { TestSpool, until } from "../support/spool.js";

const STREAM = "5-01JQ00000000000000000000A0-abcdefghijklmnopqrstuvwxyz.jsonl";
/** Named by its first message, as a publisher does that sends the last one of a stream once more. */
const NEXT = "5-01JQ00000000000000000000A2-zyxwvutsrqponmlkjihgfedcba.jsonl";
const IDS = ["01JQ00000000000000000000A0", "01JQ00000000000000000000A1", "01JQ00000000000000000000A2"] as const;
const [, , LAST] = IDS;
const QUICKLY = { durable: "ci", backoff: { minMs: 1, maxMs: 1 }, onError: () => undefined };
const ANOTHER = "01JQ00000000000000000000A3";

class Left {
  readonly #subscription: string;

  private constructor(
    readonly spool: TestSpool,
    readonly bus: Bus,
  ) {
    this.#subscription = `subscriptions/${bus.user}~ci`;
  }

  static async make(context: TestContext): Promise<Left> {
    const spool = await TestSpool.make(context);
    const bus = await spool.bus();
    await (await bus.subscribe("build.*", { durable: "ci" })).close();
    return new Left(spool, bus);
  }

  /** Leaves a file as a process does that is killed while it reads it. @param notes of what it had done */
  put(file: string, ids: readonly string[], notes = ""): void {
    const cur = join(this.spool.path, this.#subscription, "cur");
    fs.writeFileSync(join(cur, `1~${this.bus.user}~token-1~${file}`), ids.map((id) => this.#line(id)).join(""));
    if (notes !== "") fs.writeFileSync(join(cur, `${file}.progress`), notes);
  }

  get names(): string[] {
    // A place that messages come from is read before the one they go to.
    const names = ["new", "retry", "cur", "retry", "dead"].flatMap((part) =>
      this.spool.names(this.#subscription, part),
    );
    return names.filter((name) => !name.endsWith(".sealed"));
  }

  #line(id: string): string {
    const attributes = { specversion: "1.0", id, source: `/agents/${this.bus.user}`, type: "build.done" };
    return `${JSON.stringify({ ...attributes, time: new Date().toISOString(), topic: "build.done" })}\n`;
  }
}

test("a message that is the last of a stream and the first of the next file is handed out once when both come back", async (context) => {
  const left = await Left.make(context);
  left.put(STREAM, IDS, "d0\n");
  left.put(NEXT, [LAST, ANOTHER]);
  const delivered: string[] = [];
  const subscription = await left.bus.subscribe("build.*", { durable: "ci" }, ({ id }) => void delivered.push(id));
  await until(() => left.names.length === 0);
  assert.deepEqual(delivered, [...IDS.slice(1), ANOTHER]);
  assert.equal(subscription.stats.duplicates, 1);
});

test("where its handler fails, it comes again all the same, and from one of the two", async (context) => {
  const left = await Left.make(context);
  left.put(STREAM, IDS);
  left.put(NEXT, [LAST, ANOTHER]);
  const delivered: [string, number][] = [];
  await left.bus.subscribe("build.*", QUICKLY, ({ id, attempt }) => {
    delivered.push([id, attempt]);
    if (attempt <= 2) throw new Error("not yet");
  });
  await until(() => left.names.length === 0);
  const attempts = (id: string) => delivered.filter(([each]) => each === id).map(([, attempt]) => attempt);
  for (const id of [...IDS, ANOTHER]) assert.deepEqual(attempts(id), [1, 2, 3]);
});

test("a message that comes again without a note of its first attempt, because the disk is full, is no copy of itself", async (context) => {
  const left = await Left.make(context);
  left.put(STREAM, IDS.slice(0, 1));
  const open: FileSystem["open"] = (path, flags, mode) => {
    const isNote = String(path).endsWith(".progress") && (flags & fs.constants.O_CREAT) !== 0;
    if (isNote) throw Object.assign(new Error("ENOSPC: injected"), { code: "ENOSPC" });
    return nodeFileSystem.open(path, flags, mode);
  };
  const bus = await left.spool.bus({}, { fileSystem: { ...nodeFileSystem, open } });
  const attempts: number[] = [];
  await bus.subscribe("build.*", QUICKLY, ({ attempt }) => {
    attempts.push(attempt);
    if (attempts.length === 1) throw new Error("not yet");
  });
  await until(() => left.names.length === 0);
  assert.deepEqual(attempts, [1, 1]);
});
