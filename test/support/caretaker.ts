import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { whySysctlsCannotBeSet } from "./sysctls.js";

/** What `test(name, { skip })` takes: false where accounts can be made and the kernel's protections set. */
export const NEEDS_ROOT: string | false = whySkipped() ?? false;

function whySkipped(): string | undefined {
  if (process.platform !== "linux") return "skipped: it needs Linux, where the rules that it tests were measured";
  if (process.geteuid?.() !== 0)
    return "skipped: it needs root, to make throwaway accounts and to set fs.protected_regular";
  const why = whySysctlsCannotBeSet();
  return why === undefined ? undefined : `skipped: fs.protected_regular=2 cannot be set here (${why})`;
}

/** What the caretaker's process can do. */
export type Chore =
  | { readonly do: "hold sysctls" }
  | { readonly do: "add group"; readonly name: string }
  | {
      readonly do: "add user";
      readonly name: string;
      readonly groups: readonly string[];
      readonly uid?: number | undefined;
    }
  | { readonly do: "delete user"; readonly name: string }
  | { readonly do: "make directory"; readonly prefix: string }
  | { readonly do: "mount tmpfs"; readonly dir: string; readonly options: string }
  | { readonly do: "end" };

export interface ChoreResult {
  readonly uid?: number;
  readonly gid?: number;
  readonly dir?: string;
}

/**
 * Root's hands: accounts, groups, sysctls and directories that exist as long as a test file runs. They are a process of their own,
 * which takes everything away also when the test's process is killed.
 */
export class Caretaker {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: { result?: ChoreResult; error?: string }) => void>();
  #last = 0;

  constructor() {
    const path = new URL("./caretaker-process.js", import.meta.url).pathname;
    this.#process = fork(path, { detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#process.on("message", ({ id, ...answer }: { id: number }) => {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
    this.#process.on("exit", (code) => {
      for (const answer of this.#waiting.values()) answer({ error: `the caretaker ended with ${code}` });
    });
  }

  async ask(chore: Chore): Promise<ChoreResult> {
    const id = ++this.#last;
    const answer = await new Promise<{ result?: ChoreResult; error?: string }>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#process.send({ id, chore });
    });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result ?? {};
  }

  /** Takes everything away. @throws Error when something of it could not be */
  async end(): Promise<void> {
    const ended = once(this.#process, "exit");
    await this.ask({ do: "end" });
    const [code] = (await ended) as [number | null];
    if (code !== 0)
      throw new Error(`the caretaker could not take everything away; see what it wrote (exit code ${code})`);
  }
}
