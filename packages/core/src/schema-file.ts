import type fs from "node:fs";
import { readBounded, UnfitFile } from "./bounded-read.js";
import { BusError, errnoOf, fromErrno, isBusError } from "./errors.js";
import type { FileSystem } from "./file-system.js";
import { beforeReading, isProof } from "./freshness.js";
import type { CheckData, SchemaCompiler, Violations } from "./schema-compiler.js";

const MAX_SCHEMA_BYTES = 1024 * 1024;
/** How long a loaded schema is believed, in milliseconds. Editing it in place does not change the directory. */
const LOOK_EVERY_MS = 1_000;

type Outcome =
  | { readonly is: "usable"; readonly check: CheckData }
  | { readonly is: "broken"; readonly error: BusError }
  | { readonly is: "gone" };

/** One schema file: loaded when it is first needed, and again when it has changed. */
export class SchemaFile {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  readonly #owners: ReadonlySet<number>;
  readonly #compiler: SchemaCompiler;
  #outcome: Outcome = { is: "gone" };
  /** The version that was loaded; undefined when it must be loaded again. */
  #stamp: string | undefined;
  #loading: Promise<void> | undefined;
  #lookAt = 0;

  /** @param owners the accounts whose word on what messages look like counts */
  constructor(fileSystem: FileSystem, path: string, owners: ReadonlySet<number>, compiler: SchemaCompiler) {
    this.#fileSystem = fileSystem;
    this.#path = path;
    this.#owners = owners;
    this.#compiler = compiler;
  }

  check(data: unknown): Violations | Promise<Violations> {
    const now = performance.now();
    if (this.#loading === undefined && now >= this.#lookAt) {
      this.#lookAt = now + LOOK_EVERY_MS;
      if (this.#isOutdated()) this.#loading = this.#load().finally(() => (this.#loading = undefined));
    }
    return this.#loading === undefined ? this.#judge(data) : this.#loading.then(() => this.#judge(data));
  }

  #judge(data: unknown): Violations {
    const outcome = this.#outcome;
    if (outcome.is === "broken") throw outcome.error;
    return outcome.is === "usable" ? outcome.check(data) : undefined;
  }

  #isOutdated(): boolean {
    try {
      return this.#stamp === undefined || stampOf(this.#fileSystem.lstat(this.#path)) !== this.#stamp;
    } catch {
      return true; // loading it will say why
    }
  }

  /** Never rejects: what goes wrong is the outcome. */
  async #load(): Promise<void> {
    const began = beforeReading();
    this.#stamp = undefined;
    try {
      const { stat, bytes } = await readBounded(this.#fileSystem, this.#path, MAX_SCHEMA_BYTES);
      if (!this.#owners.has(stat.uid)) {
        const why = `it belongs to uid ${stat.uid}, who does not own the spool`;
        throw this.#useless(why, `sudo chown root ${this.#path}, if its content is right`);
      }
      // Before compiling: a broken version is not read again either until it changes.
      if (isProof(stat.ctimeMs, began)) this.#stamp = stampOf(stat);
      this.#outcome = { is: "usable", check: await this.#compiler.compile(this.#parse(bytes.toString("utf8"))) };
    } catch (error) {
      // Such as no descriptor left to load the compiler with: the schema is not to blame, and is read again.
      if (errnoOf(error) !== undefined) this.#stamp = undefined;
      this.#outcome = errnoOf(error) === "ENOENT" ? { is: "gone" } : { is: "broken", error: this.#broken(error) };
    }
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(syntaxComplaint(text, (error as Error).message), { cause: error });
    }
  }

  #broken(error: unknown): BusError {
    if (errnoOf(error) !== undefined || isBusError(error)) return fromErrno(error, "read the schema", this.#path);
    const isUnreadable = error instanceof UnfitFile && error.why === "unreadable";
    const why = error instanceof Error ? error.message : String(error);
    const fix = isUnreadable ? `sudo chmod 640 ${this.#path}` : `mend ${this.#path}, or remove it`;
    return this.#useless(why, fix, error);
  }

  #useless(why: string, fix: string, cause?: unknown): BusError {
    const path = this.#path;
    return new BusError("ERR_SCHEMA", `cannot use the schema ${path}: ${why}`, { path, fix, cause });
  }
}

function stampOf({ dev, ino, size, mtimeMs, ctimeMs, uid }: fs.Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs} ${uid}`;
}

/** "line 3: Unexpected token 'x'" */
function syntaxComplaint(text: string, message: string): string {
  const line = text.slice(0, syntaxErrorPosition(text, message)).split("\n").length;
  const withoutPlace = message.replace(
    /(?:, (?:\.\.\.)?"[^]*"(?:\.\.\.)? is not valid JSON| in JSON at position \d+.*)$/,
    "",
  );
  return `line ${line}: ${withoutPlace}`;
}

/**
 * V8 tells the place of a syntax error as "at position 17"; or as an excerpt that begins ten characters before it, unless it
 * begins with the text; or not at all when the text ends too early.
 */
function syntaxErrorPosition(text: string, message: string): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  const [, token = "", isInside, excerpt = ""] =
    /token '(.)', (\.\.\.)?"([^]*)"(?:\.\.\.)? is not valid JSON$/.exec(message) ?? [];
  if (token === "") return text.length;
  return isInside === undefined ? text.indexOf(token) : text.indexOf(excerpt) + 10;
}
