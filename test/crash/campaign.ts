import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createBus } from "#core/open-bus.js";
import { createSpool } from "#core/create-spool.js";
import { until } from "../support/personal-spool.js";
import {
  assertNothingHalfVisible,
  assertNothingLeft,
  assertNothingLost,
  isDrained,
  readNotes,
  subscriptionDirs,
} from "./aftermath.js";
import type { CampaignTask, Role } from "./campaign-process.js";
import type { Note } from "./journal.js";
import { later } from "./scenarios.js";

const PROCESS = fileURLToPath(new URL("campaign-process.js", import.meta.url));
const CAST: readonly Role[] = ["publisher", "publisher", "durable", "shared", "shared", "queue", "queue", "inbox"];

export interface CampaignResult {
  readonly kills: number;
  /** Messages that `publish()` promised, over all subscriptions. */
  readonly promised: number;
  /** Messages that were handled more than once. */
  readonly repeated: number;
}

/**
 * Publishers and consumers of every kind work on one spool while they are killed again and again; then they are left alone, and
 * everything that was promised must have been handled.
 */
export async function runCampaign(dir: string, kills: number): Promise<CampaignResult> {
  const spoolPath = join(dir, "spool");
  const journalPath = join(dir, "journal");
  await createSpool({ spool: spoolPath, env: {} });
  const actors = CAST.map((role, index) => new Actor(role, `${role}${index}`, { spoolPath, journalPath }));
  try {
    await Promise.all(actors.map((actor) => actor.start({ mayDieByItself: false })));
    let left = kills;
    const dieOnAndOn = async (actor: Actor) => {
      while (left-- > 0) {
        await actor.dieAndRestart();
        assertNothingHalfVisible(spoolPath);
      }
      // At once: those who still wait for their end meet it only in work, which the publishers have to go on making.
      await actor.settleDown();
    };
    await Promise.all(actors.map(dieOnAndOn));
    for (const actor of actors) if (actor.role === "publisher") await actor.stop();
    await until(() => subscriptionDirs(spoolPath).every(isDrained), 60_000);
    for (const actor of actors) if (actor.role !== "publisher") await actor.stop();
  } finally {
    for (const actor of actors) actor.kill();
  }
  const notes = readNotes(journalPath);
  assertNothingLost(notes, { inOrder: false });
  for (const label of ["durable", "inbox"])
    assertNothingLost(
      notes.filter((note) => isOf(note, label)),
      { inOrder: true },
    );
  await sweepAsTheNextOne(spoolPath);
  await assertNothingLeft(spoolPath);
  return { kills: sum(actors.map((actor) => actor.deaths)), ...countsOf(notes) };
}

/** One part in the play, whoever plays it at the moment. */
class Actor {
  deaths = 0;
  #generation = 0;
  #process: ChildProcess | undefined;
  #exit: Promise<unknown> = Promise.resolve();
  #diesByItself = false;

  constructor(
    readonly role: Role,
    readonly name: string,
    private readonly paths: Pick<CampaignTask, "spoolPath" | "journalPath">,
  ) {}

  async start({ mayDieByItself }: { readonly mayDieByItself: boolean }): Promise<void> {
    this.#diesByItself = mayDieByItself && Math.random() < 0.5;
    const task: CampaignTask = {
      ...{ role: this.role, name: `${this.name}.${++this.#generation}`, ...this.paths },
      killAtChange: this.#diesByItself ? 1 + Math.floor(Math.random() * 100) : undefined,
    };
    const child = fork(PROCESS, [JSON.stringify(task)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#process = child;
    this.#exit = once(child, "exit");
    const isAtWork = once(child, "message");
    await Promise.race([isAtWork, this.#exit]);
  }

  /** Waits for it to kill itself, or kills it at work. */
  async dieAndRestart(): Promise<void> {
    if (!this.#diesByItself) {
      // At any moment; this is not a wait for anything.
      await delay(Math.random() * 30);
      this.#process?.kill("SIGKILL");
    }
    await this.#died();
    await this.start({ mayDieByItself: true });
  }

  /** From here on it lives until it is stopped. */
  async settleDown(): Promise<void> {
    if (!this.#diesByItself) return;
    this.#process?.kill("SIGKILL");
    await this.#died();
    await this.start({ mayDieByItself: false });
  }

  async stop(): Promise<void> {
    this.#process?.kill("SIGTERM");
    assert.deepEqual(await this.#exit, [0, null], `${this.name} did not end well`);
  }

  kill(): void {
    this.#process?.kill("SIGKILL");
  }

  async #died(): Promise<void> {
    assert.deepEqual(await this.#exit, [null, "SIGKILL"], `${this.name} ended otherwise than by being killed`);
    this.deaths++;
  }
}

/** What processes of this account do that come next: they sweep when they subscribe, and whoever shares a subscription looks after it. */
async function sweepAsTheNextOne(spoolPath: string): Promise<void> {
  const bus = await createBus({ spool: spoolPath }, { env: {} });
  await bus.subscribe("nothing");
  await later(2, () => bus.subscribe("work.*", { durable: "shared", shared: true }));
  await bus.close();
}

function isOf(note: Note, subscription: string): boolean {
  return note.what === "handle" && note.subscription.endsWith(`~${subscription}`);
}

function countsOf(notes: readonly Note[]): Pick<CampaignResult, "promised" | "repeated"> {
  const handled = new Set<string>();
  const [repeated, promised] = [new Set<string>(), new Set<string>()];
  for (const note of notes) {
    if (note.what === "promise") for (const label of note.subscriptions) promised.add(`${label}: ${note.id}`);
    if (note.what !== "handle") continue;
    const key = `${note.subscription}: ${note.id}`;
    (handled.has(key) ? repeated : handled).add(key);
  }
  return { promised: promised.size, repeated: repeated.size };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
