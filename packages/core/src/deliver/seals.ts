import fs from "node:fs";
import { ignoreMissing } from "../directory.js";
import { errnoOf } from "../errors.js";
import { closeQuietly } from "../file-system.js";
import { isSeal, sealOf } from "../message-name.js";
import { PRIVATE_FILE_MODE } from "../permissions.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";

const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = fs.constants;

/** How often a neighbour is made room against that puts something in the place of a seal again and again. */
const MAX_TRIES = 100;
/** A seal stays for so long: several times as long as a publisher appends to a stream (publish/streams.ts). In milliseconds. */
const STAYS_MS = 60_000;

/** By performance.now(). */
interface Seal {
  readonly sealedAt: number;
  readonly mayGoAt: number;
}

/** The seals in `new/`, each of which tells the publisher of one stream that what it appends from now on may not be read. */
export class Seals {
  readonly #spool: Spool;
  readonly #directories: SubscriptionDirectories;
  readonly #onOwnMove: (name: string) => void;
  readonly #seals = new Map<string, Seal>();

  /** @param onOwnMove called before an entry of `new/` is changed */
  constructor(spool: Spool, directories: SubscriptionDirectories, onOwnMove: (name: string) => void) {
    this.#spool = spool;
    this.#directories = directories;
    this.#onOwnMove = onOwnMove;
  }

  /** Takes over those that others left. @throws the system's error */
  takeOver(): void {
    for (const names of this.#spool.fileSystem.readdirInPortions(this.#directories.new.base)) {
      for (const name of names.filter(isSeal)) {
        const now = performance.now();
        // Its age is by the kernel's coarse clock: good enough for a minute, not for the moment that publishers have to look.
        this.#seals.set(name, { sealedAt: now, mayGoAt: now + STAYS_MS - this.#ageOf(name) });
      }
    }
    this.removeOld();
  }

  /** @returns when the seal of a stream stood, by performance.now() @throws the system's error */
  set(file: string): number {
    const name = sealOf(file);
    const known = this.#seals.get(name);
    if (known === undefined) this.#onOwnMove(name);
    this.#seals.delete(name);
    const isNew = this.#makeSeal(name);
    const now = performance.now();
    const sealedAt = isNew ? now : (known?.sealedAt ?? now);
    this.#seals.set(name, { sealedAt, mayGoAt: now + STAYS_MS });
    return sealedAt;
  }

  /**
   * One of our own: what a neighbour put in its place, the neighbour could remove again, and the publisher would take its messages
   * for read. That becomes a stray, which is cleared away like any other.
   * @returns whether there was none
   */
  #makeSeal(name: string): boolean {
    const { fileSystem, names } = this.#spool;
    const { new: arrivals } = this.#directories;
    const path = arrivals.atOwn(name);
    for (let triesLeft = MAX_TRIES; ; triesLeft--) {
      try {
        const flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW;
        closeQuietly(fileSystem, fileSystem.open(path, flags, PRIVATE_FILE_MODE));
        return true;
      } catch (error) {
        if (errnoOf(error) !== "EEXIST") throw error;
        if (this.#isOwnSeal(name)) return false;
        if (triesLeft === 0) throw error;
        ignoreMissing(() => fileSystem.rename(path, arrivals.atOwn(`no-seal-${names.random(16)}`)));
      }
    }
  }

  #isOwnSeal(name: string): boolean {
    try {
      return this.#spool.fileSystem.lstat(this.#directories.new.atOwn(name)).uid === this.#spool.uid;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** In milliseconds; 0 where the clock has been set back since. A publisher notices when it is set (publish/streams.ts). */
  #ageOf(name: string): number {
    try {
      return Math.max(0, Date.now() - this.#spool.fileSystem.lstat(this.#directories.new.atOwn(name)).ctimeMs);
    } catch {
      return 0;
    }
  }

  /** Removes those that no publisher can be looking for any more. */
  removeOld(): void {
    const now = performance.now();
    for (const [name, { mayGoAt }] of this.#seals) {
      if (now < mayGoAt) continue;
      this.#seals.delete(name);
      this.#onOwnMove(name);
      try {
        this.#spool.fileSystem.unlink(this.#directories.new.atOwn(name));
      } catch {
        // The next consumer tries again. What a neighbour made of that name stays; it tells publishers nothing about new streams.
      }
    }
  }
}
