/** How long an answer of the account database is believed, in milliseconds. */
const FOUND_FOR_MS = 60_000;
const NOT_FOUND_FOR_MS = 5_000;
/** Whoever asks for ever new names must not fill the memory. */
const MAX_ANSWERS = 10_000;

/** An account or a group. */
export interface NamedId {
  readonly name: string;
  readonly id: number;
}

interface Answer<Value> {
  readonly value: Value | null | undefined;
  readonly until: number;
}

/**
 * Names and ids of users, or of groups, both ways: those of a file in maps, and what the account database said about the
 * others for a while. Answers are a value, `null` for "there is none", and `undefined` for "unknown: ask".
 */
export class NameTable {
  readonly #ask: (key: number | string) => Promise<NamedId | undefined>;
  #fileNames = new Map<number, string>();
  #fileIds = new Map<string, number>();
  readonly #names = new Map<number, Answer<string>>();
  readonly #ids = new Map<string, Answer<number>>();
  readonly #asking = new Map<number | string, Promise<void>>();

  constructor(ask: (key: number | string) => Promise<NamedId | undefined>) {
    this.#ask = ask;
  }

  /** Takes over what the file says now. Where a key stands twice the first entry counts, as for getpwuid(3). */
  replaceFile(entries: readonly NamedId[]): void {
    const reversed = entries.toReversed();
    this.#fileNames = new Map(reversed.map(({ id, name }) => [id, name]));
    this.#fileIds = new Map(reversed.map(({ id, name }) => [name, id]));
  }

  nameOf(id: number): string | null | undefined {
    return this.#fileNames.get(id) ?? fresh(this.#names.get(id))?.value;
  }

  idOf(name: string): number | null | undefined {
    return this.#fileIds.get(name) ?? fresh(this.#ids.get(name))?.value;
  }

  /**
   * Asks the database unless the answer is known: once, however many want to know at a time. One that does not answer
   * leaves it unknown, and is left in peace for a while too.
   */
  async learn(key: number | string): Promise<void> {
    if (this.#isAnswered(key)) return;
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#ask(key)
        .then((entry) => this.remember(key, entry ?? null))
        .catch(() => this.remember(key, undefined))
        .finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    await asking;
  }

  remember(key: number | string, entry: NamedId | null | undefined): void {
    const until = performance.now() + (entry ? FOUND_FOR_MS : NOT_FOUND_FOR_MS);
    if (typeof key === "number") put(this.#names, key, { value: entry && entry.name, until });
    // Not the other way round: a second name of an account leads to its id, and its id to the first name.
    const name = typeof key === "string" ? key : entry?.name;
    if (name !== undefined) put(this.#ids, name, { value: entry && entry.id, until });
  }

  #isAnswered(key: number | string): boolean {
    return typeof key === "number"
      ? this.#fileNames.has(key) || fresh(this.#names.get(key)) !== undefined
      : this.#fileIds.has(key) || fresh(this.#ids.get(key)) !== undefined;
  }
}

function fresh<Value>(answer: Answer<Value> | undefined): Answer<Value> | undefined {
  return answer === undefined || answer.until < performance.now() ? undefined : answer;
}

function put<Key, Value>(answers: Map<Key, Answer<Value>>, key: Key, answer: Answer<Value>): void {
  if (answers.size >= MAX_ANSWERS) answers.clear();
  answers.set(key, answer);
}
