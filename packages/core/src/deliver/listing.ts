import type { FileSystem } from "../file-system.js";
import { isMessageFile } from "../message-name.js";
import { FirstNames } from "./first-names.js";

/** Names that are no message's and kept of one reading; they may be four times as long as those of messages. */
const MAX_STRAYS = 10_000;
/**
 * So many names, however long, come in one call of getdents64(2): glibc asks for 32 KiB. What is linked meanwhile shows before that call
 * or after it; but between two of them a message may come where the first has passed already, and a later one where the second still goes.
 */
const MAX_AT_ONCE = 100;

/** What a reading of `new/` finds. However much somebody puts there, it takes no more memory than this. */
export class Listing {
  readonly names: FirstNames;
  readonly strays: string[] = [];
  /** Whether some strays were left to another reading. */
  hasMoreStrays = false;

  constructor(maxKept: number) {
    this.names = new FirstNames(maxKept);
  }

  /**
   * @returns a promise when there is much to read: that must not keep the process from anything else, and what it has missed is told of
   * by events before it resolves; whoever hears them adds it to `names` @throws the system's error
   */
  read(fileSystem: FileSystem, dir: string): void | Promise<void> {
    const portions = fileSystem.readdirInPortions(dir);
    const first = portions.next();
    if (first.done === true) return;
    this.#add(first.value);
    if (first.value.length > MAX_AT_ONCE) return this.#readOn(portions);
    // Usually there is no second one.
    const second = portions.next();
    if (second.done === true) return;
    this.#add(second.value);
    return this.#readOn(portions);
  }

  async #readOn(portions: Generator<string[], void, undefined>): Promise<void> {
    await nextTurn();
    for (const names of portions) {
      this.#add(names);
      await nextTurn();
    }
    // The first turn may come without a look at what the kernel has to tell; between two there is one.
    await nextTurn();
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
