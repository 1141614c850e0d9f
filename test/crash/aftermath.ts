import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { openSpool } from "#core/open-spool.js";
import { isMessageFile, isStream } from "#core/message-name.js";
import type { SubscribeOptions } from "#core/subscribe/open-subscription.js";
import { sweep } from "#core/sweep.js";
import type { SubscriptionRecord } from "#core/subscription-record.js";
import { UNSETTLED_PLACES, until } from "../support/personal-spool.js";
import { Journal, type Note } from "./journal.js";
import { later } from "./scenarios.js";
import type { Stage } from "./stage.js";

/** Nothing half visible: what stands in a drop box is whole, at any moment. */
export function assertNothingHalfVisible(spoolPath: string): void {
  for (const dir of subscriptionDirs(spoolPath)) {
    for (const name of visible(join(dir, "new"))) {
      assert.ok(isMessageFile(name), `${dir}/new/${name} is no message file`);
      const text = readUnlessGone(join(dir, "new", name));
      if (text === undefined) continue;
      // What its publisher was appending to a stream when it died is no message yet.
      const end = isStream(name) ? text.lastIndexOf("\n") + 1 : text.length;
      assert.ok(text[end - 1] === "\n", `${name} does not end`);
      for (const line of text.slice(0, end).trimEnd().split("\n")) JSON.parse(line);
    }
  }
}

/** undefined when a consumer has taken it since. */
function readUnlessGone(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Starts a consumer for everything that keeps messages, and waits until nothing is left to do. */
export async function restartAndDrain(stage: Stage): Promise<void> {
  const bus = await stage.bus();
  try {
    const subscriptions = await Promise.all(
      durableRecords(stage.spoolPath).map((record) =>
        bus.subscribe(patternsOf(record), namesOf(record), stage.handler()),
      ),
    );
    const dirs = () => subscriptionDirs(stage.spoolPath).filter((dir) => !/~(?:tmp|reply)-/.test(dir));
    await until(() => dirs().every(isDrained));
    for (const { stats } of subscriptions) assert.deepEqual(stats.refused, {}, "something was not fit to be delivered");
  } finally {
    await bus.close();
  }
}

/** Sweeps as a process does that comes later, and looks whether anything is left that nobody will ever use. */
export async function assertNothingLeft(spoolPath: string): Promise<void> {
  const spool = await openSpool({ spool: spoolPath }, { env: {} });
  await later(4, () => sweep(spool));
  const strays = walk(spoolPath).filter((path) => !EXPECTED.some((pattern) => pattern.test(path)));
  assert.deepEqual(strays, [], "these stay for ever");
}

/** Every message that `publish()` promised was handled, unharmed and in order; what was settled did not come again. */
export function assertNothingLost(notes: readonly Note[], options: { readonly inOrder: boolean }): void {
  const settled = new Set<string>();
  const handled = new Set<string>();
  const latest = new Map<string, number>();
  for (const note of notes) {
    if (note.what === "settled") settled.add(`${note.subscription}: ${note.id}`);
    if (note.what !== "handle") continue;
    const key = `${note.subscription}: ${note.id}`;
    assert.ok(note.intact, `${key} is not what was sent`);
    assert.ok(!settled.has(key), `${key} came again after it was settled`);
    if (handled.has(key)) continue;
    handled.add(key);
    const line = `${note.subscription}: ${note.from}, priority ${note.priority}`;
    if (options.inOrder) assert.ok(note.n > (latest.get(line) ?? 0), `${key} came after ${latest.get(line)}`);
    latest.set(line, note.n);
  }
  for (const note of notes) {
    if (note.what !== "promise") continue;
    for (const label of note.subscriptions) {
      assert.ok(handled.has(`${label}: ${note.id}`), `${label} never got ${note.id}, which publish() promised`);
    }
  }
}

export function readNotes(...paths: readonly string[]): Note[] {
  return paths.flatMap((path) => Journal.read(path));
}

/** Opens again what a test closes in between; for `bus.subscribe`. */
function patternsOf({ kind, patterns, address }: SubscriptionRecord): string | readonly string[] {
  return kind === "inbox" ? (address ?? "") : patterns;
}

function namesOf({ kind, name }: SubscriptionRecord): SubscribeOptions {
  const backoff = { minMs: 1, maxMs: 1 };
  if (kind === "inbox") return { backoff };
  return kind === "queue" ? { queue: name, backoff } : { durable: name, backoff };
}

function durableRecords(spoolPath: string): SubscriptionRecord[] {
  const records = subscriptionDirs(spoolPath).map(
    (dir) => JSON.parse(fs.readFileSync(join(dir, "subscription.json"), "utf8")) as SubscriptionRecord,
  );
  return records.filter(({ kind }) => kind !== "ephemeral" && kind !== "reply");
}

export function subscriptionDirs(spoolPath: string): string[] {
  return ["subscriptions", "queues"].flatMap((parent) =>
    visible(join(spoolPath, parent)).map((name) => join(spoolPath, parent, name)),
  );
}

function visible(dir: string): string[] {
  return fs.readdirSync(dir).filter((name) => !name.startsWith("."));
}

/** Whether a subscription has nothing to be handled, nor in work. Notes whose file is gone may be there, for a minute. */
export function isDrained(dir: string): boolean {
  try {
    return UNSETTLED_PLACES.every((part) => visible(join(dir, part)).every((name) => name.endsWith(".progress")));
  } catch {
    return false; // it is being removed
  }
}

function walk(dir: string, under = ""): string[] {
  return fs.readdirSync(join(dir, under), { withFileTypes: true }).flatMap((entry) => {
    const path = join(under, entry.name);
    return entry.isDirectory() ? [`${path}/`, ...walk(dir, path)] : [path];
  });
}

/** What a spool consists of when nobody uses it and no message waits. */
const EXPECTED: readonly RegExp[] = [
  /^(schemas|subscriptions|queues|outbox|run|pipes)\/$/,
  /^spool\.json$/,
  /^(outbox|run)\/[^/.]+\/$/,
  /^outbox\/[^/]+\/tally$/,
  /^(subscriptions|queues)\/[^/.]+\/$/,
  /^(subscriptions|queues)\/[^/.]+\/(new|cur|retry|dead|tally)\/$/,
  // For a minute.
  /^subscriptions\/[^/.]+\/new\/\.\d-[0-9A-Z]{26}\.sealed$/,
  /^(subscriptions|queues)\/[^/.]+\/(subscription\.json|seen|seen\.old)$/,
  /^(subscriptions|queues)\/[^/.]+\/dead\/[^/.]+(\.\d{6})?(\.json|\.reason\.json|\.link)$/,
];
