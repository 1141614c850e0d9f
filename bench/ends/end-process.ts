import { once } from "node:events";
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Order, Word } from "./assignment.js";
import type { Leftovers } from "../leftovers.js";

export type Role = "publisher" | "subscriber" | "requester" | "responder" | "backlog-filler" | "backlog-consumer";

/** Whose process an end is, where that is not the bench's own account. */
export interface EndAccount {
  readonly uid: number;
  readonly gid: number;
}

/** One end of a round, as the bench sees it. */
export class EndProcess {
  readonly #child: ChildProcess;
  readonly #role: Role;
  #heard: Word[] = [];
  #listener: { resolve: (word: Word) => void; reject: (error: Error) => void } | undefined;
  #ended: Error | undefined;

  constructor(role: Role, leftovers: Leftovers, account?: EndAccount) {
    this.#role = role;
    this.#child = fork(fileURLToPath(new URL(`./${role}.js`, import.meta.url)), {
      serialization: "advanced",
      cwd: "/",
      ...account,
    });
    leftovers.addProcess(this.#child);
    this.#child.on("message", (word: Word) => this.#hear(word));
    this.#child.on("error", (error) => this.#end(error));
    this.#child.on("exit", (code, signal) =>
      this.#end(new Error(`the ${role} ended early (${signal ?? `exit code ${code}`})`)),
    );
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  assign(assignment: object): void {
    this.#send(assignment);
  }

  tell(order: Order): void {
    this.#send(order);
  }

  /** Waits for what it says next, which has to be this. */
  async expect<Kind extends Word["kind"]>(kind: Kind, withinMs: number): Promise<Extract<Word, { kind: Kind }>> {
    const word = await this.#next(withinMs);
    if (word.kind === kind) return word as Extract<Word, { kind: Kind }>;
    throw new Error(word.kind === "failed" ? word.why : `the ${this.#role} said "${word.kind}" instead of "${kind}"`);
  }

  /** Resolves once it is gone, so that its directory and its account may go too. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      await once(this.#child, "exit");
    }
  }

  /** One that has just died is noticed by `expect`. */
  #send(message: object): void {
    this.#child.send(message, () => undefined);
  }

  #next(withinMs: number): Promise<Word> {
    const word = this.#heard.shift();
    if (word !== undefined) return Promise.resolve(word);
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the ${this.#role} says nothing for ${withinMs} ms`)), withinMs);
      this.#listener = {
        resolve: (heard) => (clearTimeout(timer), resolve(heard)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      };
    });
  }

  #hear(word: Word): void {
    if (this.#listener === undefined) this.#heard.push(word);
    else this.#listener.resolve(word);
    this.#listener = undefined;
  }

  #end(error: Error): void {
    this.#ended = error;
    this.#listener?.reject(error);
    this.#listener = undefined;
  }
}
