import { atExit } from "../at-exit.js";
import { Directory, ignoreMissing } from "../directory.js";
import { errnoOf, fromErrno } from "../errors.js";
import { takeLock, type Release } from "../lock.js";
import { MAX_TIMER_MS } from "../options.js";
import { PRIVATE_MODE, READABLE_FILE_MODE } from "../permissions.js";
import { describeSelf, type Presence } from "../presence.js";
import { writeOwnFile } from "../private-file.js";
import type { Spool } from "../spool.js";
import type { Ticker } from "./ticker.js";

/** Two and a half heartbeats fit into the time after which one is missed, in milliseconds. */
const HEARTBEAT_MS = 4_000;
const TOKEN_LENGTH = 16;
/** As many as the schema allows. */
const MAX_CONSUMES = 100;

/**
 * Shows the other accounts that this bus is there: `run/<user>/<token>.json` says which process it is, and the lock beside it
 * is touched now and then, for those that cannot see the process. Only a bus that subscribes has one.
 */
export class PresenceKeeper {
  readonly token: string;
  readonly #spool: Spool;
  readonly #ticker: Ticker;
  #presence: Promise<Presence> | undefined;
  #release: Release | undefined;
  #stopBeating: (() => void) | undefined;
  #isClosed = false;
  readonly #consumes: string[] = [];
  #cancelAtExit: (() => void) | undefined;

  constructor(spool: Spool, ticker: Ticker) {
    this.#spool = spool;
    this.#ticker = ticker;
    this.token = spool.names.random(TOKEN_LENGTH);
  }

  /** @throws BusError ERR_SQUATTED, ERR_ACCESS, ERR_DISK_FULL … */
  ensure(): Promise<Presence> {
    return (this.#presence ??= this.#show().catch((error: unknown) => {
      this.#presence = undefined;
      throw error;
    }));
  }

  /**
   * Says that it consumes a subscription beside others. Only people look at that, so it is no failure if it cannot be said.
   * @returns what takes it back
   */
  consumes(label: string): () => void {
    this.#consumes.push(label);
    void this.#rewrite();
    return () => {
      const at = this.#consumes.indexOf(label);
      if (at !== -1) this.#consumes.splice(at, 1);
      void this.#rewrite();
    };
  }

  async #rewrite(): Promise<void> {
    try {
      const presence = await this.#presence;
      if (presence !== undefined && !this.#isClosed) this.#write(presence);
    } catch {
      // Said with the next change.
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#presence?.catch(() => undefined);
    this.#stopBeating?.();
    await this.#release?.();
    // Where nothing could be shown, the directory may be a squatter's.
    if (this.#cancelAtExit === undefined) return;
    this.#cancelAtExit();
    this.#hide();
  }

  #hide(): void {
    ignoreMissing(() => this.#spool.fileSystem.unlink(this.#path("json")));
  }

  async #show(): Promise<Presence> {
    const presence = describeSelf(this.#spool.user, this.token);
    this.#spool.ensureRunDir();
    try {
      this.#write(presence);
      this.#cancelAtExit = atExit(() => this.#hide());
      await this.#startBeating();
    } catch (error) {
      throw fromErrno(error, "show this process in", this.#spool.runDir);
    }
    return presence;
  }

  #write(presence: Presence): void {
    const consumes = this.#consumes.slice(0, MAX_CONSUMES);
    const text = JSON.stringify(consumes.length === 0 ? presence : { ...presence, consumes });
    const run = Directory.open(this.#spool.fileSystem, `${this.#spool.path}/run`, this.#spool.user);
    try {
      writeOwnFile(this.#spool, run, `${this.token}.json`, `${text}\n`, READABLE_FILE_MODE);
    } finally {
      run.close();
    }
  }

  /** The lock's own timer, beside that of the rescans, would wake the process half as often again. */
  async #startBeating(): Promise<void> {
    this.#release = await takeLock(this.#spool, this.#path("lock"), { staleMs: Infinity, updateMs: MAX_TIMER_MS });
    this.#stopBeating = this.#ticker.add(async () => this.#beat(), HEARTBEAT_MS, false);
  }

  /** A failure is made good by the next beat; and whoever sees the process needs none. */
  #beat(): void {
    const now = new Date();
    try {
      this.#spool.fileSystem.utimes(this.#path("lock"), now, now);
    } catch (error) {
      // Somebody has cleared `run/`. The lock is for its age only: nobody else wants one of that name.
      if (errnoOf(error) === "ENOENT") this.#spool.fileSystem.mkdir(this.#path("lock"), PRIVATE_MODE);
    }
  }

  #path(suffix: "json" | "lock"): string {
    return `${this.#spool.runDir}/${this.token}.${suffix}`;
  }
}
