import type { Socket } from "node:net";
import type { ChannelHost, ChannelRefusalReason, Sender, SocketAllowance } from "@agentbus/core";
import type { Account, Accounts } from "./accounts.js";
import { farewellFrame } from "../wire/hello.js";
import type { Native } from "../place/native.js";
import { peerOf, type Peer } from "../place/peer.js";

/** Who was let in. */
export interface Admitted {
  readonly sender: Sender;
  readonly peer: Peer;
  /** To be given back with `leave()`. */
  readonly account: Account;
}

export interface TurnedAway {
  readonly reason: ChannelRefusalReason;
  readonly detail: string;
  readonly sender: Sender | undefined;
}

/** Somebody who was turned away is told why, and has so long to hear it, in milliseconds. */
const FAREWELL_MS = 1_000;

/** Asks the kernel who has connected, and lets in who may. */
export class Doorkeeper {
  readonly #host: ChannelHost;
  readonly #native: Native;
  readonly #allow: SocketAllowance | undefined;
  readonly #accounts: Accounts;

  constructor(host: ChannelHost, native: Native, allow: SocketAllowance | undefined, accounts: Accounts) {
    this.#host = host;
    this.#native = native;
    this.#allow = allow;
    this.#accounts = accounts;
  }

  /** Never throws: whoever cannot be judged is turned away. */
  async admit(socket: Socket): Promise<Admitted | TurnedAway> {
    socket.on("error", ignore);
    let account: Account | undefined;
    let sender: Sender | undefined;
    try {
      const peer = peerOf(socket, this.#native);
      account = this.#accounts.enter(peer.uid);
      const hasRoom = this.#accounts.hasRoom(account);
      if (this.#accounts.isFlooding(account)) {
        this.leave(account);
        return this.#turnAwayNow(socket, "too-many", this.#accounts.fullness, sender);
      }
      // Counted before anything is waited for: nobody gets in twice meanwhile.
      sender = await this.#host.senderOf(peer.uid);
      if (sender === undefined) {
        return this.#turnAway(socket, account, "not-allowed", `uid ${peer.uid} has no name at the moment`, sender);
      }
      if (this.#host.isBarred("sockets", sender.user)) {
        return this.#turnAway(socket, account, "barred", `${sender.user} may use no sockets in this spool`, sender);
      }
      if (!hasRoom) {
        return this.#turnAway(socket, account, "too-many", this.#accounts.fullness, sender);
      }
      if (!(await this.#mayEnter(sender, peer))) {
        return this.#turnAway(
          socket,
          account,
          "not-allowed",
          `${sender.user} is not among those that it serves`,
          sender,
        );
      }
      socket.off("error", ignore);
      return { sender, peer, account };
    } catch (error) {
      return this.#turnAway(socket, account, "not-allowed", (error as Error).message, sender);
    }
  }

  leave(account: Account): void {
    this.#accounts.leave(account);
  }

  /** By the groups that the kernel gave the peer's process when it connected, not by those that the account database lists. */
  async #mayEnter(sender: Sender, peer: Peer): Promise<boolean> {
    if (this.#allow === undefined) return true;
    const { users = [], groups = [] } = this.#allow;
    if (users.includes(sender.user)) return true;
    for (const group of groups) {
      const gid = await this.#host.findGid(group);
      if (gid !== undefined && peer.gids.includes(gid)) return true;
    }
    return false;
  }

  #turnAway(
    socket: Socket,
    account: Account | undefined,
    why: TurningAway,
    detail: string,
    sender: Sender | undefined,
  ): TurnedAway {
    if (account !== undefined) socket.once("close", () => this.leave(account));
    socket.end(farewellTo(why, detail));
    // What it says is dropped, until it has heard.
    socket.resume();
    setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
    return { reason: why === "too-many" ? why : "not-allowed", detail, sender };
  }

  /**
   * Without keeping it until it has heard: an empty socket takes the word at once, and keeps it for a peer that reads before it writes, as
   * clients do. One that writes first may get EPIPE instead.
   */
  #turnAwayNow(
    socket: Socket,
    reason: TurnedAway["reason"] & TurningAway,
    detail: string,
    sender: Sender | undefined,
  ): TurnedAway {
    socket.end(farewellTo(reason, detail));
    socket.destroy();
    return { reason, detail, sender };
  }
}

const CODES = { "not-allowed": "ERR_ACCESS", barred: "ERR_BARRED", "too-many": "ERR_BUSY" } as const;

type TurningAway = keyof typeof CODES;

function farewellTo(reason: TurningAway, message: string): string {
  return farewellFrame({ code: CODES[reason], message });
}

function ignore(): void {
  // The connection is over, and its "close" follows.
}
