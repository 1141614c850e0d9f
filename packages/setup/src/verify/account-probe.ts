import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Identity } from "../system/become.js";
import type { Question, Reply } from "./probe/program.js";
import type { Tasks } from "./probe/tasks.js";

/** Longer than any task takes that nobody holds up. */
const ANSWER_WITHIN_MS = 30_000;
const MAX_STDERR_BYTES = 4_000;

/** What a task threw. */
export class TaskFailed extends Error {
  constructor({ message, fix, code }: NonNullable<Reply["failure"]>) {
    super(message);
    this.fix = fix;
    this.code = code;
  }

  /** The command that mends it, where the bus knows one. */
  readonly fix: string | undefined;
  /** Of a BusError. */
  readonly code: string | undefined;
}

/** The probe is gone, or somebody stopped it: what was to be tried is not known. */
export class ProbeLost extends Error {}

/** A process that acts as one account (probe/program.ts). */
export class AccountProbe {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (reply: Omit<Reply, "id">) => void>();
  readonly #name: string;
  #last = 0;
  #stderr = "";
  #lost: string | undefined;

  private constructor({ name }: Identity, child: ChildProcess) {
    this.#name = name;
    this.#process = child;
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("latin1")).slice(0, MAX_STDERR_BYTES);
    });
    child.on("message", ({ id, ...reply }: Reply) => {
      this.#waiting.get(id)?.(reply);
      this.#waiting.delete(id);
    });
    child.on("error", (error) => this.#lose(error.message));
    child.on("exit", (code, signal) =>
      this.#lose(`it was ended by ${signal ?? `itself, with ${code}`}${this.#lastWords()}`),
    );
  }

  /**
   * @param agentbus what runs our own command, which has a subcommand for this @throws ProbeLost, or TaskFailed when it cannot become
   * that account
   */
  static async start(account: Identity, agentbus: readonly string[]): Promise<AccountProbe> {
    const [program = "", ...args] = agentbus;
    const identity = [account.name, String(account.uid), String(account.gid)];
    const child = spawn(program, [...args, "setup", "probe", ...identity], {
      // Nothing of whoever runs this: neither NODE_OPTIONS, nor keys, nor a terminal.
      env: ENVIRONMENT,
      cwd: "/",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      detached: true,
    });
    const probe = new AccountProbe(account, child);
    try {
      await probe.#answer(0);
      return probe;
    } catch (error) {
      await probe.end();
      throw error;
    }
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** @throws ProbeLost, TaskFailed */
  async run<Name extends keyof Tasks>(
    task: Name,
    ...args: Parameters<Tasks[Name]>
  ): Promise<Awaited<ReturnType<Tasks[Name]>>> {
    if (this.#lost !== undefined) throw this.#asError(this.#lost);
    const id = ++this.#last;
    const answer = this.#answer(id);
    this.#process.send({ id, task, args } satisfies Question);
    return (await answer) as Awaited<ReturnType<Tasks[Name]>>;
  }

  /** Ends the process, and waits until it has. */
  async end(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#process;
    if (exitCode !== null || signalCode !== null || pid === undefined) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  async #answer(id: number): Promise<unknown> {
    const { result, failure } = await new Promise<Omit<Reply, "id">>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        this.#lose(`it did not answer within ${ANSWER_WITHIN_MS / 1_000} s`);
        this.#process.kill("SIGKILL");
        reject(this.#asError(this.#lost ?? ""));
      }, ANSWER_WITHIN_MS);
      this.#waiting.set(id, (reply) => {
        clearTimeout(timer);
        if (this.#lost === undefined) resolve(reply);
        else reject(this.#asError(this.#lost));
      });
    });
    if (failure !== undefined) throw new TaskFailed(failure);
    return result;
  }

  #lose(why: string): void {
    this.#lost ??= why;
    for (const settle of this.#waiting.values()) settle({});
    this.#waiting.clear();
  }

  #asError(why: string): ProbeLost {
    return new ProbeLost(`the process that tries as ${this.#name} is lost: ${why}`);
  }

  #lastWords(): string {
    return this.#stderr === "" ? "" : `: ${this.#stderr.trim()}`;
  }
}

const ENVIRONMENT = Object.freeze({
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  NODE_DISABLE_COMPILE_CACHE: "1",
});
