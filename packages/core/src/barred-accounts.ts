import { join } from "node:path";
import type { Barred, ChannelKind } from "./barred.js";
import { readSmallFile } from "./bounded-read.js";
import { BusError, fromErrno } from "./errors.js";
import type { FileSystem } from "./file-system.js";
import { agentbusAsRoot, shellQuote } from "./shell-command.js";
import { MAX_RECORD_BYTES, parseRecord, SPOOL_FILE, type SpoolRecord } from "./spool-file.js";

const OTHERS_MAY_WRITE = 0o022;

interface Bars {
  readonly path: string;
  readonly kind: "group" | "personal";
  readonly group: string | undefined;
  readonly fileSystem: FileSystem;
}

/**
 * Who is barred from channels, by what `spool.json` says now: it is read again whenever it is another file than before, so that what
 * root decides holds for the next connection and not for the next start.
 *
 * The kernel cannot tell a socket of the bus from what any program makes for itself. But a channel has two ends, and both ask here: an
 * account that goes around its own library still finds nobody who talks to it.
 */
export class BarredAccounts {
  readonly #spool: Bars;
  #seen = "";
  #barred: Barred = {};

  constructor(spool: Bars) {
    this.#spool = spool;
  }

  /** @throws BusError ERR_SPOOL_UNTRUSTED, ERR_SPOOL_LAYOUT, ERR_ACCESS, ERR_IO: what cannot be read allows nothing */
  isBarred(channel: ChannelKind, user: string): boolean {
    if (this.#spool.kind === "personal") return false;
    this.#look();
    return this.#barred[channel]?.includes(user) === true;
  }

  /** @throws BusError ERR_BARRED, and as `isBarred` */
  requireNotBarred(channel: ChannelKind, ...users: readonly string[]): void {
    const user = users.find((each) => this.isBarred(channel, each));
    if (user === undefined) return;
    const { path, group = "" } = this.#spool;
    const unbar = `init --group ${group} --spool ${shellQuote(path)} --unbar ${user}:${channel}`;
    throw new BusError("ERR_BARRED", `${user} may use no ${channel} in ${path}: its spool.json says so`, {
      path: join(path, SPOOL_FILE),
      fix: `send through the spool: bus.publish(), which everybody may. To allow it: change "channels" in agentbus.json and apply; without that file, ${agentbusAsRoot(unbar)}`,
      details: { user, channel },
    });
  }

  #look(): void {
    const { fileSystem, path: spoolDir } = this.#spool;
    const path = join(spoolDir, SPOOL_FILE);
    try {
      const { ino, ctimeMs, size } = fileSystem.lstat(path);
      const now = `${ino} ${ctimeMs} ${size}`;
      if (now === this.#seen) return;
      this.#barred = trusted(path, fileSystem).barred ?? {};
      this.#seen = now;
    } catch (error) {
      throw fromErrno(error, "read", path);
    }
  }
}

/** The directory that it is in was found to be root's when the spool was opened. */
function trusted(path: string, fileSystem: FileSystem): SpoolRecord {
  const { stat, bytes } = readSmallFile(fileSystem, path, MAX_RECORD_BYTES);
  if ((stat.uid === 0 || stat.uid === process.geteuid?.()) && (stat.mode & OTHERS_MAY_WRITE) === 0)
    return parseRecord(path, bytes);
  throw new BusError("ERR_SPOOL_UNTRUSTED", `cannot use ${path}: others than root may write to it`, {
    path,
    fix: "agentbus doctor",
  });
}
