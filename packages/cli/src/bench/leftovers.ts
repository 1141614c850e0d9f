import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";

/** What a run must not leave behind, however it ends: its directory, and the processes that work in it. */
export class Leftovers {
  readonly #dir: string;
  readonly #children: ChildProcess[] = [];
  readonly #onExit = () => this.clear();

  constructor(dir: string) {
    this.#dir = dir;
    process.on("exit", this.#onExit);
  }

  add(child: ChildProcess): void {
    this.#children.push(child);
  }

  /** Without waiting, as it has to be when a process exits; what a dying child adds meanwhile is removed by trying again. */
  clear(): void {
    process.off("exit", this.#onExit);
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 10 });
  }
}
