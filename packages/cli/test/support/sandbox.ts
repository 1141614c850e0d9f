import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect, openBus, type Bus, type SubscriptionStatus } from "@agentbus/core";

export const AGENTBUS = fileURLToPath(new URL("../../../bin/agentbus.cjs", import.meta.url));

export interface Ended {
  /** 128 and the signal's number when a signal ended it, as a shell has it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** What stdin holds. @default nothing: /dev/null */
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/** A home of its own with a personal spool, and real processes of the command in it; all gone after the test. */
export class Sandbox {
  readonly #running = new Set<Running>();
  readonly #buses: Bus[] = [];

  private constructor(
    readonly dir: string,
    readonly env: Readonly<Record<string, string>>,
  ) {}

  static make(context: TestContext): Sandbox {
    const dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-cli-")));
    const env = {
      // So that a command that runs "agentbus" finds this one.
      PATH: `${join(dir, "bin")}:${process.env["PATH"] ?? ""}`,
      HOME: dir,
      XDG_STATE_HOME: join(dir, "state"),
      AGENTBUS_ROOT: join(dir, "no-groups"),
    };
    fs.mkdirSync(join(dir, "bin"));
    fs.symlinkSync(AGENTBUS, join(dir, "bin", "agentbus"));
    const sandbox = new Sandbox(dir, env);
    context.after(() => sandbox.#remove());
    return sandbox;
  }

  get spool(): string {
    return join(this.dir, "state", "agentbus", "personal");
  }

  async bus(): Promise<Bus> {
    if (!fs.existsSync(this.spool)) await this.run(["init"]);
    const bus = await openBus({ spool: this.spool });
    this.#buses.push(bus);
    return bus;
  }

  /** Runs the command to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const running = this.start(args, options);
    return running.ended;
  }

  start(args: readonly string[], { input, env }: RunOptions = {}): Running {
    const running = new Running(args, { ...this.env, ...env }, input);
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  /** Starts a command that listens, and waits until it does: what is published from now on reaches it. */
  async listen(args: readonly string[], options: RunOptions = {}): Promise<Running> {
    const running = this.start(args, options);
    const isConsumed = ({ consumers }: SubscriptionStatus) => consumers.some(({ pid }) => pid === running.child.pid);
    await until(
      async () => running.hasEnded || (await this.subscriptions()).some(isConsumed),
      () => running.describe(),
    );
    return running;
  }

  async subscriptions(): Promise<readonly SubscriptionStatus[]> {
    if (!fs.existsSync(join(this.spool, "spool.json"))) return [];
    return (await inspect({ spool: this.spool })).subscriptions;
  }

  /** Everything in the spool, but the directories and files that every account keeps there. */
  leftovers(): string[] {
    const names = fs.readdirSync(this.spool, { recursive: true, encoding: "utf8" });
    const isKept = (name: string) =>
      /^(?:schemas|subscriptions|queues|outbox|run|pipes|spool\.json)$/.test(name) ||
      /^(?:outbox|run)\/[^/]+$/.test(name) ||
      /^subscriptions\/[^/]+~inbox(?:$|\/(?:new|cur|retry|dead|subscription\.json)$)/.test(name);
    return names.filter((name) => !isKept(name));
  }

  async #remove(): Promise<void> {
    for (const bus of this.#buses) await bus.close();
    for (const running of this.#running) running.signal("SIGKILL");
    await Promise.all([...this.#running].map(({ ended }) => ended));
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A process of the command. */
export class Running {
  readonly ended: Promise<Ended>;
  readonly child: ChildProcessWithoutNullStreams;
  stdout = "";
  stderr = "";
  hasEnded = false;
  readonly #args: readonly string[];

  constructor(args: readonly string[], env: Readonly<Record<string, string>>, input: string | Buffer | undefined) {
    this.#args = args;
    const stdin = input === undefined ? "ignore" : "pipe";
    const child = spawn(process.execPath, [AGENTBUS, ...args], { env, stdio: [stdin, "pipe", "pipe"] });
    this.child = child as ChildProcessWithoutNullStreams;
    if (input !== undefined) this.child.stdin.on("error", () => {}).end(input);
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.hasEnded = true;
        const number = signal === null ? (code ?? 0) : 128 + (SIGNALS[signal] ?? 0);
        resolve({ code: number, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get lines(): string[] {
    return this.stdout.split("\n").filter((line) => line !== "");
  }

  /** What it printed, each line as JSON. */
  get json(): unknown[] {
    return this.lines.map((line) => JSON.parse(line) as unknown);
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.hasEnded) this.child.kill(signal);
  }

  async until(condition: (running: this) => boolean): Promise<void> {
    await until(
      () => condition(this),
      () => this.describe(),
    );
  }

  describe(): string {
    return `agentbus ${this.#args.join(" ")}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`;
  }
}

const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** Waits for a condition, looking every few milliseconds. @throws when it does not come true, with what `describe` says */
export async function until(
  condition: () => boolean | Promise<boolean>,
  describe = () => String(condition),
  withinMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not true within ${withinMs} ms: ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The only line of JSON on a stream. */
export function onlyJson(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}
