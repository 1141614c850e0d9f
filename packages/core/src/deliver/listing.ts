import type { FileSystem } from "../file-system.js";
import { isMessageFile } from "../message-name.js";
import { FirstNames } from "./first-names.js";

/** Names that are no message's and kept of one reading; they may be four times as long as those of messages. */
const MAX_STRAYS = 10_000;

/** What a reading of `new/` finds. However much somebody puts there, it takes no more memory than this. */
export class Listing {
  readonly names: FirstNames;
  readonly strays: string[] = [];
  /** Whether some strays were left to another reading. */
  hasMoreStrays = false;

  constructor(maxKept: number) {
    this.names = new FirstNames(maxKept);
  }

  /** @returns a promise when there is much to read, which must not keep the process from anything else @throws the system's error */
  read(fileSystem: FileSystem, dir: string): void | Promise<void> {
    const portions = fileSystem.readdirInPortions(dir);
    // Usually there is no second one.
    for (let portion = 0; portion < 2; portion++) {
      const { done, value } = portions.next();
      if (done === true) return;
      this.#add(value);
    }
    return this.#readOn(portions);
  }

  async #readOn(portions: Generator<string[], void, undefined>): Promise<void> {
    await nextTurn();
    for (const names of portions) {
      this.#add(names);
      await nextTurn();
    }
  }

  #add(names: readonly string[]): void {
    for (const name of names) {
      if (isMessageFile(name)) this.names.add(name);
      else if (name.startsWith(".")) continue;
      else if (this.strays.length < MAX_STRAYS) this.strays.push(name);
      else this.hasMoreStrays = true;
    }
  }
}

/** After what the event loop has to do meanwhile, such as to hear of arrivals. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
