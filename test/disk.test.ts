import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Bus } from "@agentbus/core";
import { Ajv2020 } from "ajv/dist/2020.js";
import { PersonalSpool, publishTogether, until } from "./support/personal-spool.js";

/** What each file of a spool is, by its path. A file that none of these names is not one that the docs know of. */
const MESSAGE = String.raw`[0-9]-[0-9A-HJKMNP-TV-Z]{26}-[a-z2-7]{26}`;
const FILES: readonly (readonly [
  RegExp,
  "spool" | "subscription" | "presence" | "reason" | "private-record" | "envelope" | "no JSON",
])[] = [
  [/^spool\.json$/, "spool"],
  [/^(subscriptions|queues)\/[^/]+\/subscription\.json$/, "subscription"],
  [/^subscriptions\/[^/]+\/consumer\.json$/, "presence"],
  [/^run\/[^/]+\/[a-z2-7]{16}\.json$/, "presence"],
  [/\/dead\/[^/]+\.reason\.json$/, "reason"],
  [/\/retry\/\d{13}~\d+~[^/]+\.\d{6}\.own$/, "private-record"],
  [new RegExp(`/new/${MESSAGE}\\.json$`), "envelope"],
  [new RegExp(`/cur/\\d+~[^~]+~[^~]+~${MESSAGE}\\.json$`), "envelope"],
  [new RegExp(`/retry/\\d{13}~\\d+~${MESSAGE}\\.json$`), "envelope"],
  [new RegExp(`/dead/${MESSAGE}(\\.\\d{6})?\\.json$`), "envelope"],
  [new RegExp(`/dead/${MESSAGE}\\.link$`), "envelope"],
  [new RegExp(`^outbox/[^/]+/\\.\\d+-${MESSAGE}\\.json\\.receipt$`), "envelope"],
  [new RegExp(`/cur/.*${MESSAGE}\\.json\\.progress$`), "no JSON"],
  [/\/dead\/stray-[a-z2-7]{16}\.link$/, "no JSON"],
  [/^outbox\/[^/]+\/\.\d+-[a-z2-7]{16}\.draft$/, "no JSON"],
  [/\/consumer\.lock\/[a-z2-7]{16}$/, "no JSON"],
  [/\/seen$/, "no JSON"],
];

test("everything that agentbus puts on the disk satisfies its schema", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await fill(spool, bus);
  const ajv = new Ajv2020({ allowUnionTypes: true });
  const schemasDir = new URL("../../schemas/", import.meta.url);
  for (const name of fs.readdirSync(schemasDir).filter((each) => each.endsWith(".schema.json")))
    ajv.addSchema(JSON.parse(fs.readFileSync(new URL(name, schemasDir), "utf8")) as object);

  const seen = new Map<RegExp, number>();
  for (const path of filesIn(spool.path)) {
    const [pattern, schema] = FILES.find(([each]) => each.test(path)) ?? [];
    assert.ok(pattern !== undefined && schema !== undefined, `nothing is known of ${path}`);
    seen.set(pattern, (seen.get(pattern) ?? 0) + 1);
    if (schema === "no JSON") continue;
    const text = fs.readFileSync(join(spool.path, path), "utf8");
    assert.ok(text.endsWith("\n"), `${path} does not end with a newline`);
    const texts = schema === "envelope" ? text.trimEnd().split("\n") : [text];
    for (const each of texts) {
      const isValid = ajv.validate(`urn:agentbus:schema:${schema}:1`, JSON.parse(each));
      assert.ok(isValid, `${path}: ${ajv.errorsText()}: ${each}`);
    }
  }
  for (const [pattern] of FILES) assert.ok(seen.has(pattern), `the scenario leaves no file like ${pattern.source}`);
});

/** Brings the spool into a state that has every kind of file, and leaves it so: everything stays open. */
async function fill(spool: PersonalSpool, bus: Bus): Promise<void> {
  const settled = await bus.subscribe(
    "settled",
    { durable: "settled", concurrency: 100, maxBacklog: 50_000 },
    async (message) => {
      if (message.data === "reject") await message.reject("not today");
      if (message.data === "nack") await message.nack({ delayMs: 600_000 });
    },
  );
  for (const each of ["ack", "reject", "nack"]) await bus.publish("settled", each);
  // Published in one go they share a file; one of them stays in work.
  await bus.subscribe(
    "shared",
    { durable: "shared", concurrency: 100, backoff: { minMs: 600_000, maxMs: 600_000 }, onError: () => undefined },
    async ({ data }) => {
      if (data === "fail") throw new Error("no");
      if (data === "hang") await new Promise(() => undefined);
    },
  );
  await publishTogether(bus, 4, (n) => bus.publish("shared", ["ack", "fail", "hang", "fail"][n]));

  const queue = await bus.subscribe("work", { queue: "work" }, (message) => message.reject());
  await bus.publish("work", 1);
  await bus.subscribe("quick");
  await bus.publish(`@${bus.user}`, "waits in the inbox");
  await bus.publish("quick", "waits in new/", { receipt: true });
  // Asked, and never answered: the mailbox for the answer stays. Whoever awaits it is told when the bus closes.
  await bus.subscribe("question", { durable: "question" });
  bus.request("question", 1, { timeoutMs: 600_000 }).catch(() => undefined);
  // What others put there is kept, as it is, beside the reason why it was not delivered.
  fs.writeFileSync(join(spool.path, "subscriptions", `${bus.user}~settled`, "new", "README"), "I am lost");

  const directory = (name: string) => fs.readdirSync(join(spool.path, "subscriptions", name));
  await until(() => settled.stats.acked === 1 && settled.stats.rejected === 1 && settled.stats.nacked === 1);
  await until(() => settled.stats.refused["bad-name"] === 1 && queue.stats.rejected === 1);
  await until(() => directory(`${bus.user}~shared/retry`).filter((name) => name.endsWith(".own")).length === 2);
  await until(() => directory(`${bus.user}~question/new`).length === 1);
  await until(() => directory(`${bus.user}~settled`).includes("seen"));
}

function filesIn(dir: string): string[] {
  return fs
    .readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));
}
