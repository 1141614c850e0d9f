import {
  BusError,
  type ChannelHost,
  type ChannelRefusalReason,
  type EnvelopeWriter,
  type Refusals,
  type Sender,
  type SendOptions,
  type Sent,
  type SocketPeer,
  type SocketStatistics,
} from "@agentbus/core";
import type { Socket } from "node:net";
import type { Peer } from "../place/peer.js";
import { Outlet } from "../stream/outlet.js";
import { Room } from "../stream/room.js";
import { Connection, type ConnectionOwner } from "../wire/connection.js";
import { Envelopes, type EnvelopesOwner } from "../wire/envelopes.js";
import { Kind, note, noteIn, roomIn, type FrameKind } from "../wire/frames.js";
import { farewellFrame, HANDSHAKE_MS, helloFrame, parseHello, ROOM_BYTES } from "../wire/hello.js";
import type { Account } from "./accounts.js";
import type { Guest, Standing } from "./leave-taking.js";
import { brokenOff, OpenCalls, type CallsHost } from "./open-calls.js";
import { ServedMessage, type MessageHost } from "./served-message.js";

/** Calls of one connection that are taken at a time. */
const MAX_CALLS = 256;
/** What it takes to keep a message, besides its text, in bytes or so: short ones take no less. */
const MESSAGE_BYTES = 1_024;
/** A frame that is refused takes as long as several that are not. */
const REFUSED_UNITS = 8;
/** One that bears no envelope, or is for nobody any more, takes a part of it. */
const NOTE_UNITS = 1 / 8;
const TOO_MUCH = "more than there is room for";

/** The server, as one of its sessions sees it. */
export interface SessionHost {
  readonly host: ChannelHost;
  readonly name: string;
  readonly refusals: Refusals;
  readonly stats: SocketStatistics;
  readonly maxFrameBytes: number;
  readonly stallMs: number;
  /** Hands a message out. @param onConsumed to be called when there is room for another like it */
  onMessage(message: ServedMessage, session: Session, onConsumed: () => void): void;
  /** Bytes and messages that went through. */
  count(messages: number, bytes: number): void;
  onSessionEnd(session: Session): void;
}

/** One client that is connected, from its first byte to its last. */
export class Session implements ConnectionOwner, EnvelopesOwner, CallsHost, MessageHost, Guest {
  readonly sender: Sender;
  readonly peer: SocketPeer;
  readonly account: Account;
  readonly connection: Connection;
  readonly writer: EnvelopeWriter;
  readonly name: string;
  readonly calls: OpenCalls;
  readonly #server: SessionHost;
  readonly #envelopes: Envelopes;
  /** For messages to the client. */
  readonly #room = new Room(0);
  readonly #outlet: Outlet;
  readonly #handshake: NodeJS.Timeout;
  #isGreeted = false;
  #isLeaving = false;
  #isClosed = false;
  /** Of messages from the client that are not consumed. */
  #messageBytes = 0;

  constructor(
    server: SessionHost,
    socket: Socket,
    facts: { readonly sender: Sender; readonly peer: Peer; readonly account: Account },
  ) {
    const { sender, peer, account } = facts;
    const { host, name, maxFrameBytes, stallMs } = server;
    this.#server = server;
    this.name = name;
    this.sender = sender;
    this.account = account;
    this.writer = host.envelopesTo(`@${sender.user}`);
    this.#outlet = new Outlet((bytes) => {
      server.stats.pushed++;
      server.count(1, bytes);
    });
    this.peer = {
      sender,
      pid: peer.pid,
      connectedAt: new Date(),
      send: (data, options) => this.#push(data, options),
    };
    this.connection = new Connection(socket, { maxFrameBytes, stallMs, budget: account.budget }, this);
    this.#envelopes = new Envelopes(host.envelopesFrom(sender), this.connection, this);
    this.calls = new OpenCalls(this);
    this.#handshake = setTimeout(() => this.onBadFrame("bad-frame", "it said nothing"), HANDSHAKE_MS);
    this.connection.send(helloFrame({ name, room: ROOM_BYTES, maxCalls: MAX_CALLS }));
  }

  get standing(): Standing {
    if (this.connection.hasUnsent || !this.#outlet.isEmpty || this.calls.awaitClient) return "awaited";
    return this.calls.size > 0 || this.#messageBytes > 0 || this.connection.isPaused ? "working" : "idle";
  }

  get progress(): number {
    return this.connection.bytesThrough;
  }

  /** Sends a message to it, if there is room for it now. @param text an envelope to this client */
  tryPush(text: string): boolean {
    return this.#isGreeted && this.#outlet.trySend(text);
  }

  write(data: unknown, options: SendOptions | undefined): ReturnType<EnvelopeWriter["write"]> {
    return this.writer.write(data, { topic: this.name, ...options });
  }

  /** Answers what comes, and asks the client to go. */
  sayGoodbye(): void {
    this.#isLeaving = true;
    this.connection.send(note(Kind.goodbye, 0));
  }

  letGo(why: string): void {
    this.#isClosed = true;
    this.calls.abortAll(why);
    // Who does not take what it was sent does not take the end either.
    if (this.connection.hasUnsent) this.connection.destroy();
    else this.connection.end();
  }

  /** Closes now; what is in work is aborted. */
  close(): void {
    this.#isClosed = true;
    this.calls.abortAll("the server was closed");
    this.connection.end();
  }

  onFrame(kind: FrameKind, call: number, text: string, start: number, end: number): void {
    if (this.#isClosed) return;
    if (!this.#isGreeted) return this.#greet(kind, noteIn(text, start, end));
    switch (kind) {
      case Kind.call:
      case Kind.streamCall:
        // It does not take its answers, so it gets no further ones.
        if (this.connection.isCongested) return this.connection.wait(this.connection.whenClear(), true);
        return this.#onCall(kind, call, text, start, end);
      case Kind.item:
        return call === 0 ? this.#onOneWay(text, start, end) : this.#onItem(call, text, start, end);
      case Kind.end:
        this.calls.streamOf(call)?.end(brokenOff(noteIn(text, start, end)));
        return this.#pace(NOTE_UNITS);
      case Kind.room:
        this.#onRoom(call, roomIn(text, start, end));
        return this.#pace(NOTE_UNITS);
      case Kind.cancel:
        this.calls.cancel(call);
        return this.#pace(NOTE_UNITS);
      default:
        return this.onBadFrame("bad-frame", `a client sends no ${kind}`);
    }
  }

  onBadFrame(reason: "bad-frame" | "too-large", detail: string): void {
    if (this.connection.isOver) return;
    this.onRefused(reason, detail);
    this.connection.send(farewellFrame({ code: "ERR_ENVELOPE_INVALID", message: detail }));
    this.close();
  }

  onRefused(reason: ChannelRefusalReason, detail: string): void {
    this.#server.refusals.add({ reason, detail, sender: this.sender });
  }

  onExpired(): void {
    this.#server.stats.expired++;
  }

  onAnswered(): void {
    this.#server.stats.answered++;
  }

  count(messages: number, bytes: number): void {
    this.#server.count(messages, bytes);
  }

  onEnd(_error: Error | undefined, isTruncated: boolean): void {
    clearTimeout(this.#handshake);
    if (isTruncated) this.onRefused("truncated", "it was gone in the middle of a frame");
    this.calls.abortAll("it has gone");
    this.#room.close();
    this.#outlet.failAll(this.#gone());
    this.#server.onSessionEnd(this);
  }

  answer(message: ServedMessage, data: unknown): void {
    this.calls.answer(message, data);
  }

  refuse(message: ServedMessage, reason: string): void {
    this.calls.fail(message, reason);
  }

  #greet(kind: FrameKind, text: string): void {
    const hello = kind === Kind.hello ? parseHello(text) : undefined;
    if (hello === undefined) return this.onBadFrame("bad-frame", "it began with something else than H0");
    clearTimeout(this.#handshake);
    this.#isGreeted = true;
    this.calls.roomBytes = hello.room;
    this.#room.add(hello.room);
    this.#outlet.attach(this.connection, this.#room);
  }

  #onCall(kind: FrameKind, call: number, text: string, start: number, end: number): void {
    if (call === 0 || this.calls.has(call)) return this.onBadFrame("bad-frame", "the number of a call is used");
    if (this.calls.size >= MAX_CALLS) return this.onBadFrame("bad-frame", `more than ${MAX_CALLS} calls at a time`);
    const bytes = this.connection.bytesOf(text, start, end);
    const stream = kind === Kind.streamCall ? this.calls.openStream(call) : undefined;
    this.#judge(text, start, end, (verdict) => {
      if (verdict.kind !== "deliver") return this.calls.refuse(call, verdict);
      const message = new ServedMessage(verdict.envelope, call, this, stream);
      this.calls.add(message);
      this.count(1, bytes);
      this.#handOut(message, bytes);
    });
  }

  #onItem(call: number, text: string, start: number, end: number): void {
    const stream = this.calls.streamOf(call);
    // Of a call that has ended meanwhile.
    if (stream === undefined) return this.#pace(NOTE_UNITS);
    const bytes = this.connection.bytesOf(text, start, end);
    this.#judge(text, start, end, (verdict) => {
      if (verdict.kind !== "deliver") {
        return stream.end(new BusError("ERR_ENVELOPE_INVALID", "an item of the stream was refused"));
      }
      this.count(1, bytes);
      this.account.budget.take(bytes, this.connection);
      const { data } = new ServedMessage(verdict.envelope, 0, this);
      if (!stream.push(data, bytes)) this.onBadFrame("bad-frame", TOO_MUCH);
    });
  }

  /** A message that wants no answer. */
  #onOneWay(text: string, start: number, end: number): void {
    const bytes = this.connection.bytesOf(text, start, end);
    if (this.#messageBytes >= ROOM_BYTES) return this.onBadFrame("bad-frame", TOO_MUCH);
    this.#judge(text, start, end, (verdict) => {
      // What was refused has taken its room for nothing.
      if (verdict.kind !== "deliver") return this.connection.grant(0, bytes);
      this.count(1, bytes);
      this.#messageBytes += bytes;
      this.#handOut(new ServedMessage(verdict.envelope, 0, this), bytes, () => {
        this.#messageBytes -= bytes;
        this.connection.grant(0, bytes);
      });
    });
  }

  #handOut(message: ServedMessage, bytes: number, onConsumed?: () => void): void {
    const { budget } = this.account;
    const held = bytes + MESSAGE_BYTES;
    budget.take(held, this.connection);
    this.#server.onMessage(message, this, () => {
      budget.give(held);
      onConsumed?.();
    });
  }

  #onRoom(call: number, bytes: number | undefined): void {
    if (bytes === undefined) return this.onBadFrame("bad-frame", "that is no room");
    if (call !== 0) return this.calls.addRoom(call, bytes);
    this.#room.add(bytes);
    this.#outlet.flush();
  }

  #judge(text: string, start: number, end: number, use: Parameters<Envelopes["judge"]>[3]): void {
    const verdict = this.#envelopes.judge(text, start, end, use);
    if (verdict !== undefined) this.#pace(verdict.kind === "deliver" ? 1 : REFUSED_UNITS);
  }

  /** So much at a time for one account: then the others have a turn. */
  #pace(units: number): void {
    const turn = this.account.patience.spend(units);
    if (turn !== undefined) this.connection.wait(turn);
  }

  async #push(data: unknown, options?: SendOptions): Promise<Sent> {
    const { id, text } = await this.write(data, options);
    // Asked to go, it stays for what it has called for.
    if (this.connection.isOver || (this.#isLeaving && this.calls.size === 0)) throw this.#gone();
    await this.#outlet.send(text, options?.signal);
    return { id };
  }

  #gone(): BusError {
    return new BusError("ERR_NO_PEER", `cannot send to ${this.sender.user}: its connection is closed`);
  }
}
