import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type * as toolbox from "./toolbox.js";

export type Tools = typeof toolbox;

/** A task runs elsewhere: it sees its arguments and the toolbox, and nothing of what stands around it in the test. */
type Task<Args extends unknown[], Result> = (tools: Tools, ...args: Args) => Result;

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** What a task threw, with what a `BusError` has. */
export interface Failure extends Error {
  readonly code?: string;
  readonly path?: string;
  readonly fix?: string;
  readonly details?: Record<string, unknown>;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: Failure;
}

/** Longer than any task takes, in milliseconds. */
const ANSWER_WITHIN_MS = 60_000;

/** A process that runs as an account of its own, with the groups that a login gives it, under the umask 077. */
export class Person implements Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: Omit<Answer, "id">) => void>();
  #last = 0;

  private constructor(account: Account, child: ChildProcess) {
    this.name = account.name;
    this.uid = account.uid;
    this.gid = account.gid;
    this.#process = child;
    child.on("message", ({ id, ...answer }: Answer) => {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
    child.on("exit", (code, signal) => {
      const failure = new Error(`${this.name}'s process ended: ${signal ?? code}`);
      for (const answer of this.#waiting.values()) answer({ failure });
    });
  }

  /** @param maxOpenFiles how many files it may have open @default as many as this process */
  static async start(account: Account, maxOpenFiles?: number): Promise<Person> {
    const path = new URL("./person-process.js", import.meta.url).pathname;
    const child = fork(path, [account.name, String(account.gid)], {
      serialization: "advanced",
      cwd: "/",
      // ulimit, because prlimit(2) of another account's process is more than some containers allow root.
      ...(maxOpenFiles === undefined
        ? { execArgv: [] }
        : { execPath: "/bin/sh", execArgv: ["-c", `ulimit -n ${maxOpenFiles}; exec "$0" "$@"`, process.execPath] }),
      // What handlers throw on purpose is no news.
      env: { PATH: process.env["PATH"], NODE_NO_WARNINGS: "1" },
    });
    const person = new Person(account, child);
    await person.#answer(0);
    return person;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Runs a task in this person's process. @throws Failure what it threw; an Error when its process is gone */
  async run<Args extends unknown[], Result>(task: Task<Args, Result>, ...args: Args): Promise<Awaited<Result>> {
    const id = ++this.#last;
    const answer = this.#answer(id);
    this.#process.send({ id, task: task.toString(), args });
    return (await answer) as Awaited<Result>;
  }

  /** What a task throws. @throws Error when it throws nothing */
  async failureOf<Args extends unknown[]>(task: Task<Args, unknown>, ...args: Args): Promise<Failure> {
    let result: unknown;
    try {
      result = await this.run(task, ...args);
    } catch (error) {
      return error as Failure;
    }
    throw new Error(`it was not refused: ${JSON.stringify(result)}`);
  }

  /** Ends the process, however busy it is. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  async #answer(id: number): Promise<unknown> {
    const { result, failure } = await new Promise<Omit<Answer, "id">>((resolve) => {
      const timer = setTimeout(() => {
        const frozen = new Error(`${this.name}'s process has not answered for ${ANSWER_WITHIN_MS} ms: is it frozen?`);
        resolve({ failure: frozen });
      }, ANSWER_WITHIN_MS);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
    if (failure !== undefined) throw Object.assign(new Error(failure.message), failure);
    return result;
  }
}
