import { errnoOf, fromErrno } from "./errors.js";
import type { FileSystem } from "./file-system.js";
import { beforeReading, isProof } from "./freshness.js";
import { SchemaCompiler, type Violations } from "./schema-compiler.js";
import { SchemaFile } from "./schema-file.js";
import { isTopic } from "./topics.js";

const SUFFIX = ".schema.json";
/** How long the listing is believed, in milliseconds. */
const LOOK_EVERY_MS = 1_000;

/**
 * Checks the data of messages against `schemas/<topic>.schema.json`, where there is one. A schema is for exactly one topic.
 *
 * A schema that is added, changed or removed is noticed within a second. Nothing here costs a topic without a schema more than
 * a lookup, and one stat(2) a second for all of them together.
 */
export class TopicSchemas {
  readonly #fileSystem: FileSystem;
  readonly #dir: string;
  readonly #owners: ReadonlySet<number>;
  readonly #compiler = new SchemaCompiler();
  #files = new Map<string, SchemaFile>();
  #lookAt = 0;
  #changeTimeMs: number | undefined;

  /** @param spoolUid whoever owns the spool may also say what its messages look like; so may root and this process's account */
  constructor(fileSystem: FileSystem, schemasDir: string, spoolUid: number) {
    this.#fileSystem = fileSystem;
    this.#dir = schemasDir;
    this.#owners = new Set([0, spoolUid, process.geteuid?.() ?? 0]);
  }

  /** Whether a topic's data is checked at all. @throws BusError as `check` */
  knows(topic: string): boolean {
    const now = performance.now();
    if (now >= this.#lookAt) this.#look(now);
    return this.#files.has(topic);
  }

  /**
   * @param data as `JSON.parse` gives it
   * @returns a promise only when a schema has to be loaded
   * @throws BusError ERR_SCHEMA when the schema itself is of no use, ERR_ACCESS and the like when it cannot be read; a
   *   promise rejects with the same
   */
  check(topic: string, data: unknown): Violations | Promise<Violations> {
    return this.knows(topic) ? this.#files.get(topic)?.check(data) : undefined;
  }

  #look(now: number): void {
    const began = beforeReading();
    const changeTimeMs = this.#changeTime();
    if (changeTimeMs === undefined) this.#files.clear();
    else if (changeTimeMs !== this.#changeTimeMs) this.#list();
    // A listing as old as the last change may lack a part of it, and is made again at the next look (freshness.ts).
    this.#changeTimeMs = changeTimeMs !== undefined && isProof(changeTimeMs, began) ? changeTimeMs : undefined;
    this.#lookAt = now + LOOK_EVERY_MS;
  }

  /** undefined when there is no such directory: schemas are optional. */
  #changeTime(): number | undefined {
    try {
      return this.#fileSystem.changeTimeMs(this.#dir);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw fromErrno(error, "look for schemas in", this.#dir);
    }
  }

  #list(): void {
    const before = this.#files;
    const files = new Map<string, SchemaFile>();
    for (const name of this.#names()) {
      const topic = name.slice(0, -SUFFIX.length);
      if (!name.endsWith(SUFFIX) || !isTopic(topic)) continue;
      const path = `${this.#dir}/${name}`;
      files.set(topic, before.get(topic) ?? new SchemaFile(this.#fileSystem, path, this.#owners, this.#compiler));
    }
    this.#files = files;
  }

  #names(): string[] {
    try {
      return this.#fileSystem.readdir(this.#dir);
    } catch (error) {
      throw fromErrno(error, "look for schemas in", this.#dir);
    }
  }
}
