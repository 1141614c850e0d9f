/** A process that handles messages as fast as they come, and writes down what it did where its death cannot take it back. */
import fs from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createBus } from "#core/open-bus.js";
import type { Message } from "#core/subscribe/message.js";

/** What a handler does with a message the first time; any other is done at once. */
export type BurstDeed = "ack" | "hang" | "exit" | "drain";

export interface BurstData {
  readonly n: number;
  readonly deed?: BurstDeed;
}

/** One line of the journal. */
export interface BurstEntry {
  readonly what: "began" | "acked" | "went on";
  readonly n: number;
  readonly attempt: number;
  /** By the process's own performance.now(). */
  readonly atMs: number;
}

const [spoolPath = "", journalPath = "", concurrency = ""] = process.argv.slice(2);
const journal = fs.openSync(journalPath, "a");

function note(what: BurstEntry["what"], { data: { n }, attempt }: Message<BurstData>): void {
  const entry: BurstEntry = { what, n, attempt, atMs: performance.now() };
  fs.writeSync(journal, `${JSON.stringify(entry)}\n`);
}

/** Says so when whatever was to be done in this turn of the event loop, and after it, is done. */
async function noteGoingOn(message: Message<BurstData>): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
  note("went on", message);
}

async function hang(message: Message<BurstData>): Promise<void> {
  await noteGoingOn(message);
  await new Promise(() => undefined);
}

async function acknowledge(message: Message<BurstData>): Promise<void> {
  await message.ack();
  note("acked", message);
}

const bus = await createBus<{ "burst.now": BurstData }>({ spool: spoolPath }, { env: {} });
const options = { durable: "burst", concurrency: Number(concurrency) };
const subscription = await bus.subscribe("burst.now", options, (message): Promise<void> | undefined => {
  note("began", message);
  const deed = message.attempt === 1 ? message.data.deed : undefined;
  if (deed === "ack") return acknowledge(message);
  if (deed === "hang") return hang(message);
  if (deed === "exit") process.exit();
  if (deed !== "drain") return undefined;
  void subscription.drain();
  void noteGoingOn(message);
  return undefined;
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
