import { relative } from "node:path";
import { nodeFileSystem, type FileSystem } from "#core/file-system.js";

/** One call through the seam between core and the kernel, named so that a person knows what it is about. */
export interface SeamCall {
  readonly operation: keyof FileSystem;
  /** Such as "link a draft → new/…". */
  readonly name: string;
  /** Which call of that name it is, from 1. */
  readonly nth: number;
}

/** Runs instead of each call: calls `proceed`, with these arguments or others, or does not. */
export type SeamHook = (call: SeamCall, proceed: (args?: unknown[]) => unknown, args: unknown[]) => unknown;

/** Calls that change nothing on the disk: being killed before one and after it is the same. */
const READING: ReadonlySet<keyof FileSystem> = new Set([
  ...([
    "close",
    "read",
    "readAsync",
    "fstat",
    "stat",
    "lstat",
    "changeTimeMs",
    "readdir",
    "readdirInPortions",
  ] as const),
]);

export function changesTheDisk({ operation, name }: Pick<SeamCall, "operation" | "name">): boolean {
  return !READING.has(operation) && !(operation === "open" && !name.startsWith("open, to create,"));
}

/** A filesystem whose every call passes through `hook`, with paths named by what they are in the spool. */
export class SeamWatch {
  readonly fileSystem: FileSystem;
  readonly #spoolPath: string;
  readonly #hook: SeamHook;
  readonly #pathOfFd = new Map<number, string>();
  #counts = new Map<string, number>();

  constructor(spoolPath: string, hook: SeamHook, below: FileSystem = nodeFileSystem) {
    this.#spoolPath = spoolPath;
    this.#hook = hook;
    const operations = Object.entries(below) as [keyof FileSystem, Call][];
    const wrapped = operations.map(([operation, original]) => [operation, this.#wrap(operation, original)]);
    this.fileSystem = Object.fromEntries(wrapped) as FileSystem;
  }

  /** Counts from 1 again. */
  startOver(): void {
    this.#counts = new Map();
  }

  /** Descriptors that were opened through the seam and not closed through it, by what they stand for. */
  get open(): string[] {
    return [...this.#pathOfFd.values()].map((path) => this.#placeOf(path));
  }

  #wrap(operation: keyof FileSystem, original: Call): Call {
    return (...args) => {
      const name = this.#nameOf(operation, args);
      const nth = (this.#counts.get(name) ?? 0) + 1;
      this.#counts.set(name, nth);
      const proceed = (instead?: unknown[]) => this.#proceed(operation, original, instead ?? args);
      return this.#hook({ operation, name, nth }, proceed, args);
    };
  }

  #proceed(operation: keyof FileSystem, original: Call, args: readonly unknown[]): unknown {
    const logical = operation === "open" ? this.#logicalPath(args[0]) : "";
    const result = original(...args);
    if (operation === "open") this.#pathOfFd.set(result as number, logical);
    if (operation === "close") this.#pathOfFd.delete(args[0] as number);
    return result;
  }

  #nameOf(operation: keyof FileSystem, args: readonly unknown[]): string {
    const [first, second] = args;
    const place = this.#placeOf(this.#logicalPath(first));
    if (operation === "link" || operation === "rename") {
      return `${operation} ${place} → ${this.#placeOf(this.#logicalPath(second))}`;
    }
    // For the disk it is all the same what is written.
    if (operation === "writeText") return `write ${place}`;
    const creates = operation === "open" && ((second as number) & O_CREAT) !== 0;
    return `${operation}${creates ? ", to create," : ""} ${place}`;
  }

  #logicalPath(argument: unknown): string {
    if (typeof argument === "number") return this.#pathOfFd.get(argument) ?? `descriptor ${argument}`;
    const path = Buffer.isBuffer(argument) ? argument.toString("latin1") : String(argument);
    const [, fd, rest] = /^\/proc\/self\/fd\/(\d+)(.*)$/s.exec(path) ?? [];
    return fd === undefined ? path : `${this.#pathOfFd.get(Number(fd)) ?? `descriptor ${fd}`}${rest}`;
  }

  #placeOf(path: string): string {
    if (!path.startsWith(this.#spoolPath)) return path;
    const inSpool = relative(this.#spoolPath, path);
    for (const [pattern, place] of PLACES) if (pattern.test(inSpool)) return inSpool.replace(pattern, place);
    return inSpool === "" ? "the spool" : inSpool;
  }
}

type Call = (...args: unknown[]) => unknown;
const O_CREAT = 0o100;

/** What the paths of a spool are called, without what is random or differs from run to run in them. */
const PLACES: readonly [RegExp, string][] = [
  [/^(outbox|run)\/[^/]+$/, "$1/<user>"],
  [/^outbox\/[^/]+\/[^/]*\.draft$/, "a draft"],
  [/^outbox\/[^/]+\/[^/]*\.receipt$/, "a receipt"],
  [/^outbox\/[^/]+\/tally$/, "the tally's blank"],
  [/^run\/[^/]+\/[^/]*\.draft$/, "a draft of the presence"],
  [/^run\/[^/]+\/sweep\.lock$/, "the sweeper's lock"],
  [/^run\/[^/]+\/[^/]*\.json$/, "the presence"],
  [/^run\/[^/]+\/[^/]*\.lock$/, "the heartbeat"],
  [/^(subscriptions|queues)\/\.(new|gone)-[^/]+\/([^/]*\/)?\.[^/]*\.draft$/, "a draft in a .$2- directory"],
  [/^(subscriptions|queues)\/\.(gone)-[^/]+\/([^/]+)\/[^/]+$/, "a .$2- directory/$3/…"],
  [/^(subscriptions|queues)\/\.(new|gone|touch)-[^/]+(.*)$/, "a .$2- directory$3"],
  [/^(subscriptions|queues)\/[^/.]+$/, "a subscription"],
  [/^(subscriptions|queues)\/[^/]+\/(new|cur|retry|dead|tally)$/, "$2/"],
  [/^(subscriptions|queues)\/[^/]+\/(retry|dead)\/\.[^/]*\.draft$/, "a draft in $2/"],
  [/^(subscriptions|queues)\/[^/]+\/\.[^/]*\.draft$/, "a draft beside subscription.json"],
  [/^(subscriptions|queues)\/[^/]+\/cur\/[^/]*\.progress$/, "a progress note"],
  [/^(subscriptions|queues)\/[^/]+\/retry\/\.[^/]*\.own$/, "a hidden record"],
  [/^(subscriptions|queues)\/[^/]+\/(cur|retry)\/[^/]*\.own$/, "$2/….own"],
  [/^(subscriptions|queues)\/[^/]+\/dead\/[^/]*\.reason\.json$/, "dead/….reason.json"],
  [/^(subscriptions|queues)\/[^/]+\/dead\/[^/]*(\.link|\.json)$/, "dead/…$2"],
  [/^(subscriptions|queues)\/[^/]+\/(new|cur|retry|tally)\/[^/]*$/, "$2/…"],
  [/^(subscriptions|queues)\/[^/]+\/(\.lock-)[^/]*(.*)$/, "a lock in the making"],
  [/^(subscriptions|queues)\/[^/]+\/(consumer\.lock)\/[^/]*$/, "the name in consumer.lock"],
  [/^(subscriptions|queues)\/[^/]+\/([^/]+)$/, "$2"],
];
