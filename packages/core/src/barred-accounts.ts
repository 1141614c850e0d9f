import { join } from "node:path";
import type { ChannelKind } from "./barred.js";
import { CurrentRecord } from "./current-record.js";
import { BusError } from "./errors.js";
import type { FileSystem } from "./file-system.js";
import { agentbusAsRoot, shellQuote } from "./shell-command.js";
import { SPOOL_FILE } from "./spool-file.js";

interface Bars {
  readonly path: string;
  readonly kind: "group" | "personal";
  readonly group: string | undefined;
  readonly fileSystem: FileSystem;
}

/**
 * Who is barred from channels, by what `spool.json` says now.
 *
 * The kernel cannot tell a socket of the bus from what any program makes for itself. But a channel has two ends, and both ask here: an
 * account that goes around its own library still finds nobody who talks to it.
 */
export class BarredAccounts {
  readonly #spool: Bars;
  readonly #record: CurrentRecord;

  constructor(spool: Bars) {
    this.#spool = spool;
    this.#record = new CurrentRecord(spool);
  }

  /** @throws BusError ERR_SPOOL_UNTRUSTED, ERR_SPOOL_LAYOUT, ERR_ACCESS, ERR_IO: what cannot be read allows nothing */
  isBarred(channel: ChannelKind, user: string): boolean {
    if (this.#spool.kind === "personal") return false;
    return this.#record.look().barred?.[channel]?.includes(user) === true;
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
}
