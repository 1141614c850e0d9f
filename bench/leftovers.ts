import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";

/** What must not outlive the bench, also when it fails or is interrupted: processes, directories, accounts. */
export class Leftovers {
  readonly #processes = new Set<ChildProcess>();
  readonly #dirs = new Set<string>();
  readonly #undo = new Set<() => void>();

  addProcess(child: ChildProcess): void {
    this.#processes.add(child);
    child.on("exit", () => this.#processes.delete(child));
  }

  /** Makes a directory that only this account may enter. */
  makeDir(parentDir: string): string {
    const dir = mkdtempSync(`${parentDir}/agentbus-bench-`);
    this.#dirs.add(dir);
    return dir;
  }

  removeDir(dir: string): void {
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    this.#dirs.delete(dir);
  }

  /** @param undo takes something away without waiting @returns what does so now, once */
  addUndo(undo: () => void): () => void {
    this.#undo.add(undo);
    return () => {
      if (!this.#undo.has(undo)) return;
      // What cannot be taken away now is tried once more in the end.
      undo();
      this.#undo.delete(undo);
    };
  }

  /** All at once and without waiting, so that a signal handler can call it before it exits. */
  clear(): void {
    for (const child of this.#processes) child.kill("SIGKILL");
    // The latest first: accounts before their group.
    for (const undo of [...this.#undo].reverse()) {
      this.#undo.delete(undo);
      try {
        undo();
      } catch (error) {
        console.error((error as Error).message);
      }
    }
    for (const dir of this.#dirs) this.removeDir(dir);
  }

  /** Clears on Ctrl-C and the like, and ends this process as the signal would have. */
  clearOnSignals(): void {
    for (const [signal, number] of [
      ["SIGINT", 2],
      ["SIGTERM", 15],
      ["SIGHUP", 1],
    ] as const) {
      process.once(signal, () => {
        this.clear();
        process.exit(128 + number);
      });
    }
  }
}
