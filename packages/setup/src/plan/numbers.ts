import type { Ledger } from "../ledger.js";
import type { Machine } from "../machine.js";

/** Above what systems give to people one after the other, and below what containers and subordinate ids use. */
const RANGES = { linux: [2_000, 59_999], darwin: [600, 9_999] } as const;

/**
 * Chooses uids and gids, one number for an agent and its own group. Never one that any account or group has, that an agent of
 * earlier had (its files may be anywhere), or that the ledger has promised to another.
 */
export class Numbers {
  readonly #taken: Set<number>;
  /** Those of accounts, and of agents that were removed. */
  readonly #uids: ReadonlySet<number>;
  readonly #ledger: Ledger;
  readonly #range: readonly [number, number];

  private constructor(taken: Set<number>, uids: ReadonlySet<number>, ledger: Ledger, range: readonly [number, number]) {
    this.#taken = taken;
    this.#uids = uids;
    this.#ledger = ledger;
    this.#range = range;
  }

  static async of(machine: Machine, ledger: Ledger): Promise<Numbers> {
    const [users, groups] = await Promise.all([machine.users(), machine.groups()]);
    const uids = new Set([...users, ...ledger.retired].map(({ uid }) => uid));
    const taken = new Set([...uids, ...users.map(({ gid }) => gid), ...groups.map(({ gid }) => gid)]);
    return new Numbers(taken, uids, ledger, RANGES[machine.flavour.platform]);
  }

  /** The uid of an account whose own group is there already: the same number, unless somebody has it or had it. */
  chooseBeside(gid: number, key: string): number {
    return this.#uids.has(gid) ? this.choose(key) : gid;
  }

  /** The number that was promised to one of these keys, if it is still free, or another. */
  choose(...keys: readonly string[]): number {
    for (const key of keys) {
      const promised = this.#ledger.find(key)?.id;
      if (promised !== undefined && !this.#taken.has(promised)) return this.#take(promised);
    }
    const promised = new Set(this.#ledger.entries.flatMap(({ id }) => id ?? []));
    for (let number = this.#range[0]; number <= this.#range[1]; number++) {
      if (!this.#taken.has(number) && !promised.has(number)) return this.#take(number);
    }
    throw new RangeError(`all numbers from ${this.#range[0]} to ${this.#range[1]} are taken`);
  }

  #take(number: number): number {
    this.#taken.add(number);
    return number;
  }
}
