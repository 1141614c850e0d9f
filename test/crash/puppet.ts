import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Handling, PuppetMethods } from "./puppet-process.js";

const PROCESS = fileURLToPath(new URL("puppet-process.js", import.meta.url));

/** What a puppet was refused: a `BusError`, as far as it can be told to another process. */
export interface PuppetError extends Error {
  readonly code?: string;
  readonly fix?: string;
}

/** A process with a bus that does what the test says, dies when the test says, and is gone after the test. */
export class Puppet {
  /** What its handlers were given, as they told when they began; also after its death. */
  readonly handled: Handling[] = [];
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #calls = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #nextCall = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.#exit = once(process, "exit").finally(() => this.#forgetCalls());
    process.on("message", (message) => this.#hear(message as Report));
  }

  /** @param maxOpenFiles how many files it may have open @default as many as this process */
  static async start(context: TestContext, spoolPath: string, maxOpenFiles?: number): Promise<Puppet> {
    const child = fork(PROCESS, [spoolPath], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
      // A process that has run out says so once a second.
      ...(maxOpenFiles === undefined ? {} : { ...under(maxOpenFiles), env: { ...process.env, NODE_NO_WARNINGS: "1" } }),
    });
    const puppet = new Puppet(child);
    context.after(() => puppet.kill());
    await once(puppet.#process, "message");
    return puppet;
  }

  /** One whose parent never asks what became of it, so that it is a zombie when it is dead. `exited()` is of that parent. */
  static async startUnderNegligentParent(context: TestContext, spoolPath: string): Promise<Puppet> {
    // The shell becomes sleep(1), which knows nothing of children.
    const command = `"$0" "$1" "$2" & exec sleep 600`;
    const parent = spawn("/bin/sh", ["-c", command, process.execPath, PROCESS, spoolPath], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    });
    const puppet = new Puppet(parent);
    context.after(() => puppet.kill());
    await once(parent, "message");
    return puppet;
  }

  /** Of the process that was started, which a negligent parent is not. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  call<Method extends keyof PuppetMethods>(
    method: Method,
    ...args: Parameters<PuppetMethods[Method]>
  ): ReturnType<PuppetMethods[Method]> {
    const call = this.#nextCall++;
    const answer = new Promise((resolve, reject) => this.#calls.set(call, { resolve, reject }));
    this.#process.send({ call, method, args });
    return answer as ReturnType<PuppetMethods[Method]>;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Resolves when it is dead, by its own hand or somebody else's. */
  async exited(): Promise<void> {
    await this.#exit;
  }

  /** Resolves when everything that it has said up to now has been heard; also after its death. */
  async heard(): Promise<void> {
    const { exitCode, signalCode, connected } = this.#process;
    if (exitCode === null && signalCode === null) await this.call("block", 0);
    else if (connected) await once(this.#process, "disconnect");
  }

  /** It ends by itself. */
  disconnect(): void {
    this.#process.disconnect();
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exit;
  }

  #hear(report: Report): void {
    if (report === "ready") return;
    if ("handled" in report) return void this.handled.push(report.handled);
    const waiting = this.#calls.get(report.call);
    this.#calls.delete(report.call);
    if (report.error === undefined) waiting?.resolve(report.result);
    else waiting?.reject(Object.assign(new Error(report.error.message), report.error));
  }

  #forgetCalls(): void {
    for (const { reject } of this.#calls.values()) reject(new Error("the process ended"));
    this.#calls.clear();
  }
}

/** The options of fork() that run Node under a limit of open files. */
function under(maxOpenFiles: number) {
  return {
    execPath: "/bin/sh",
    execArgv: ["-c", `ulimit -n ${maxOpenFiles}; exec "$0" "$@"`, process.execPath],
  };
}

type Report =
  | "ready"
  | { readonly handled: Handling }
  | { readonly call: number; readonly result?: unknown; readonly error?: { readonly message: string } };
