import { fork, type ChildProcess, type StdioOptions } from "node:child_process";
import { BusError } from "@agentbus/core";
import type { Arrivals } from "./arrival-log.js";
import type { Question, Word } from "./end.js";
import type { Leftovers } from "./leftovers.js";
import type { Transport } from "./receivers.js";

/** Longer than an end takes to start, or to be sure that something is lost, in milliseconds. */
const PATIENCE_MS = 60_000;

/** The receiving end of a transport, as the process that measures sees it. */
export class EndProcess {
  readonly #transport: Transport;
  readonly #child: ChildProcess;
  #waiting: { resolve: (word: Word) => void; reject: (error: Error) => void } | undefined;
  readonly #failing = new AbortController();

  private constructor(transport: Transport, dir: string) {
    this.#transport = transport;
    // The command is one file: this process's own, whatever it is called.
    this.#child = fork(process.argv[1] ?? "", ["bench", "--end", transport, "--dir", dir, ...formatOptions()], {
      stdio: STDIO,
    });
    this.#child.on("message", (word: Word) =>
      word.kind === "failed" ? this.#fail(failureOf(word)) : this.#hear(word),
    );
    this.#child.on("error", (error) => this.#fail(error));
    this.#child.on("exit", (code, signal) => {
      this.#fail(this.#broken(`ended early (${signal ?? `exit code ${code}`})`));
    });
  }

  /** Aborted with what it failed with. */
  get failed(): AbortSignal {
    return this.#failing.signal;
  }

  /** Resolves when it receives. @throws what it failed with */
  static async start(transport: Transport, dir: string, leftovers: Leftovers): Promise<EndProcess> {
    const end = new EndProcess(transport, dir);
    leftovers.add(end.#child);
    await end.#nextWord();
    return end;
  }

  /** What has arrived since the last call, once everything has, or is lost. @throws what it failed with */
  async arrivals(question: Question): Promise<Arrivals> {
    const answer = this.#nextWord();
    this.#child.send(question, (error) => error && this.#fail(error));
    const word = await answer;
    if (word.kind === "arrived") return word.arrivals;
    throw this.#broken(`says "${word.kind}" unasked`);
  }

  #nextWord(): Promise<Word> {
    if (this.failed.aborted) return Promise.reject(this.failed.reason as Error);
    return new Promise<Word>((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(this.#broken(`says nothing for ${PATIENCE_MS} ms`)), PATIENCE_MS);
      this.#waiting = {
        resolve: (word) => (clearTimeout(timer), resolve(word)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      };
    });
  }

  #hear(word: Word): void {
    this.#waiting?.resolve(word);
    this.#waiting = undefined;
  }

  /** The first failure is the cause of those that follow. */
  #fail(error: Error): void {
    this.#failing.abort(error);
    this.#waiting?.reject(this.failed.reason as Error);
    this.#waiting = undefined;
  }

  #broken(how: string): BusError {
    return new BusError(
      "ERR_IO",
      `cannot go on measuring: the process that receives from the ${this.#transport} ${how}`,
      {
        fix: "agentbus doctor finds what may be wrong with this machine; then run it again",
      },
    );
  }
}

const STDIO: StdioOptions = ["ignore", "ignore", "inherit", "ipc"];

/** In which form it warns. */
function formatOptions(): string[] {
  return process.argv.filter((word) => word === "--json");
}

function failureOf({ code, message, fix }: Extract<Word, { kind: "failed" }>): BusError {
  return new BusError(code ?? "ERR_IO", code === undefined ? `cannot go on measuring: ${message}` : message, { fix });
}
