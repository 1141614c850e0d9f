import fs from "node:fs";
import { dirname } from "node:path";
import { BusError, octal } from "@agentbus/core";
import type { Flavour, Machine } from "./machine.js";
import { asRoot } from "./own-command.js";
import { requireRootsDirectories, UnsafePath, writeRootFile } from "./system/root-file.js";

/**
 * What the ledger notes about a thing that setup makes or changes, before it does: `key` says which thing ("account:codebot",
 * "group:agents", "member:agents:alice", "file:/etc/sudoers.d/60-agentbus-codebot", "setting:pmset.sleep"; plan/old-values.ts has those
 * of accounts that were taken over), or which step still has to follow ("due:codebot/service-started"). Only what has an entry is ever
 * removed or put back.
 */
export interface Origin {
  readonly key: string;
  /** made: it was not there. changed: it was, with `before`. adopted: it was, and stays. */
  readonly how: "made" | "changed" | "adopted";
  /** The uid or gid that it was made with. */
  readonly id?: number;
  /** What it was before, to be put back by removal. */
  readonly before?: string;
  /**
   * What setup has made of it since, or was about to. Anything else that is found is somebody's later change, and stays. Of what an
   * earlier version noted there is none: nobody can say whose the present value is.
   */
  readonly set?: readonly string[];
  /**
   * Of an account that was taken over: whatever setup has changed of it has an entry with its old value. Earlier versions did not keep
   * all of them.
   */
  readonly remembers?: true;
  /** The agent that it belongs to; none: it belongs to all. */
  readonly agent?: string;
  /** What takes it back: of a command, or of a setting, with its old value in it. */
  readonly undo?: readonly string[];
}

/** A uid that no agent gets again: files of its first owner may be anywhere. */
export interface RetiredUid {
  readonly uid: number;
  readonly name: string;
  readonly at: string;
}

interface LedgerText {
  readonly version: 1;
  readonly entries: Readonly<Record<string, Omit<Origin, "key">>>;
  readonly retired: readonly RetiredUid[];
}

const MODE = 0o644;
const DIRECTORY_MODE = 0o755;

/** Where setup keeps its ledger, archives of homes and its lock: root's, and readable for everybody but for the archives. */
export function stateDir({ platform }: Pick<Flavour, "platform">): string {
  return platform === "darwin" ? "/var/db/agentbus" : "/var/lib/agentbus";
}

function ledgerPath(flavour: Pick<Flavour, "platform">): string {
  return `${stateDir(flavour)}/setup.json`;
}

/**
 * What setup has made on this machine, root's to write and everybody's to read, so that a plan needs no root. An entry is
 * written before the thing that it is about, and so survives a crash in between; a thing without an entry is somebody else's.
 */
export class Ledger {
  readonly #path: string;
  readonly #entries: Map<string, Origin>;
  #retired: readonly RetiredUid[];

  private constructor(path: string, { entries, retired }: LedgerText) {
    this.#path = path;
    this.#entries = new Map(Object.entries(entries).map(([key, entry]) => [key, { key, ...entry }]));
    this.#retired = retired;
  }

  /** @throws BusError ERR_SETUP_CONFLICT when there is one that cannot be understood, or that somebody else could have written; ERR_ACCESS */
  static read(machine: Machine): Ledger {
    const path = ledgerPath(machine.flavour);
    const text = textOf(machine, path);
    return new Ledger(path, text === undefined ? { version: 1, entries: {}, retired: [] } : parse(text, path));
  }

  get entries(): readonly Origin[] {
    return [...this.#entries.values()];
  }

  get retired(): readonly RetiredUid[] {
    return this.#retired;
  }

  find(key: string): Origin | undefined {
    return this.#entries.get(key);
  }

  /** Whether setup made it, or took it over. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /**
   * Of what is noted already, how it came about and what it was before stay as they are: the first answer is the true one. What setup
   * makes of it is added to. Only what was taken over and has to be made by now was somebody else's no more.
   */
  async note(origin: Origin): Promise<void> {
    const known = this.#entries.get(origin.key);
    const isAnother = known?.id !== undefined && known.id !== origin.id;
    if (known === undefined || isAnother || (known.how === "adopted" && origin.how === "made")) {
      this.#entries.set(origin.key, origin);
      return this.#write();
    }
    const set = new Set([...(known.set ?? []), ...(origin.set ?? [])]);
    if (set.size === (known.set ?? []).length) return;
    this.#entries.set(origin.key, { ...known, set: [...set] });
    await this.#write();
  }

  async forget(key: string): Promise<void> {
    if (this.#entries.delete(key)) await this.#write();
  }

  /** @param agent "" for what is no single agent's */
  async forgetAgent(agent: string): Promise<void> {
    const keys = this.entries.filter((entry) => (entry.agent ?? "") === agent).map(({ key }) => key);
    for (const key of keys) this.#entries.delete(key);
    if (keys.length > 0) await this.#write();
  }

  async retire(uid: number, name: string): Promise<void> {
    if (this.#retired.some((each) => each.uid === uid)) return;
    this.#retired = [...this.#retired, { uid, name, at: new Date().toISOString() }];
    await this.#write();
  }

  async #write(): Promise<void> {
    makeStateDirectory(dirname(this.#path));
    const entries = Object.fromEntries(this.entries.map(({ key, ...entry }) => [key, entry]));
    const text = `${JSON.stringify({ version: 1, entries, retired: this.#retired } satisfies LedgerText, undefined, 2)}\n`;
    await writeRootFile({ path: this.#path, text, mode: MODE, uid: 0, gid: 0 }, () => Promise.resolve());
  }
}

/** Whatever the umask. @throws UnsafePath where somebody else could turn what root writes in it elsewhere */
export function makeStateDirectory(dir: string): void {
  if (!fs.existsSync(dir)) {
    fs.mkdirSync(dir, DIRECTORY_MODE);
    fs.chmodSync(dir, DIRECTORY_MODE);
  }
  requireRootsDirectories(`${dir}/x`);
}

/**
 * Root kills, deletes and runs by what is in it, so nobody else may have written it. Another name of it (link(2)) lets nobody write, and
 * on macOS everybody can make one.
 */
function textOf(machine: Machine, path: string): string | undefined {
  try {
    const stat = machine.stat(path);
    if (stat !== undefined && !stat.isSymbolicLink()) {
      const why =
        stat.uid === 0
          ? (stat.mode & 0o022) === 0
            ? undefined
            : `has mode ${octal(stat.mode)}`
          : `belongs to uid ${stat.uid}`;
      if (why !== undefined) throw doubtful(path, `${path} ${why}, so that somebody else could have written it`);
    }
    return machine.read(path);
  } catch (error) {
    if (error instanceof UnsafePath) throw doubtful(path, error.message, error);
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    throw new BusError("ERR_ACCESS", `cannot read ${path}, which everybody may, as setup has made it`, {
      path,
      cause: error,
      fix: `ls -ld ${dirname(path)} ${path}; ${asRoot(`chmod 0755 ${dirname(path)}`)}; ${asRoot(`chmod 0644 ${path}`)}`,
    });
  }
}

/** Of whatever is wrong with it, only a person can say whether its text is still what setup has written. */
function doubtful(path: string, why: string, cause?: unknown): BusError {
  const [dir, own] = [dirname(path), asRoot(`chown root ${dirname(path)} ${path}`)];
  return new BusError("ERR_SETUP_CONFLICT", `cannot use ${path}: ${why}`, {
    path,
    cause,
    fix: `look at them (ls -ld ${dir} ${path}; cat ${path}). If it says what setup has made here: ${own} && ${asRoot(`chmod go-w ${dir} ${path}`)}. If not, put back a copy of it`,
  });
}

function parse(text: string, path: string): LedgerText {
  const value = valueOf(text);
  if (isLedger(value)) return value;
  throw new BusError("ERR_SETUP_CONFLICT", `cannot use ${path}: it is not a ledger of this version of agentbus`, {
    path,
    fix: `put back a copy of it, or move it away (${asRoot(`mv ${path} ${path}.old`)}): then nothing on this machine counts as made by setup`,
  });
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isLedger(value: unknown): value is LedgerText {
  if (typeof value !== "object" || value === null) return false;
  const { version, entries, retired } = value as Partial<LedgerText>;
  return version === 1 && typeof entries === "object" && entries !== null && Array.isArray(retired);
}
