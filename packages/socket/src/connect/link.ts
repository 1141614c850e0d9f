import type { Socket } from "node:net";
import {
  BusError,
  PassingMessage,
  type ChannelHost,
  type ChannelMessage,
  type ChannelRefusalReason,
  type Refusals,
} from "@agentbus/core";
import { Room } from "../stream/room.js";
import { Budget } from "../wire/budget.js";
import { Connection, type ConnectionOwner } from "../wire/connection.js";
import { Envelopes, type EnvelopesOwner } from "../wire/envelopes.js";
import { Kind, noteIn, roomIn, type FrameKind } from "../wire/frames.js";
import { HANDSHAKE_MS, helloFrame, parseFarewell, parseHello, ROOM_BYTES } from "../wire/hello.js";
import { lost, silent, turnedAway, unheard } from "./link-end.js";
import type { PendingCall } from "./pending-call.js";
import { SentCalls, type SentCallsHost } from "./sent-calls.js";

/** The client, as one of its connections sees it. */
export interface LinkHost extends SentCallsHost {
  readonly host: ChannelHost;
  readonly refusals: Refusals;
  readonly maxFrameBytes: number;
  readonly stallMs: number;
  /** @returns whether there was room for it */
  onPush(message: ChannelMessage, bytes: number, link: Link): boolean;
  onExpired(): void;
  /** There is room for more messages. */
  onRoom(): void;
  /** The server is about to go. */
  onGoodbye(link: Link): void;
  onLinkEnd(link: Link, error: BusError): void;
}

/** What answers that are not consumed may hold of a client's memory, in bytes. */
const BUDGET_BYTES = 256 * 1024 * 1024;
const TOO_MUCH = "more than there is room for";

/** One connection to a server: from its hello to its end. */
export class Link implements ConnectionOwner, EnvelopesOwner {
  readonly connection: Connection;
  /** For messages by themselves. */
  readonly room = new Room(0);
  readonly greeted: Promise<void>;
  readonly #client: LinkHost;
  readonly #envelopes: Envelopes;
  readonly calls: SentCalls;
  readonly #handshake: NodeJS.Timeout;
  #maxCalls = 0;
  /** What a server that is about to go may still push: it is given no more room. */
  #lastRoom = ROOM_BYTES;
  #isGreeted = false;
  #isLeaving = false;
  #failure: BusError | undefined;
  #onGreeted!: () => void;
  #onFailed!: (error: BusError) => void;

  constructor(client: LinkHost, socket: Socket) {
    this.#client = client;
    this.greeted = new Promise((resolve, reject) => {
      this.#onGreeted = resolve;
      this.#onFailed = reject;
    });
    const { maxFrameBytes, stallMs } = client;
    const budget = new Budget(BUDGET_BYTES);
    this.connection = new Connection(socket, { maxFrameBytes, stallMs, budget }, this);
    this.#envelopes = new Envelopes(client.host.envelopesFrom(client.server), this.connection, this);
    this.calls = new SentCalls(client, this.connection, this.#envelopes, budget);
    this.#handshake = setTimeout(() => this.#fail(silent(this.#client.to)), HANDSHAKE_MS);
  }

  /** Whether a call can go through it now. */
  get isFree(): boolean {
    return this.#isGreeted && !this.#isLeaving && this.calls.size < this.#maxCalls;
  }

  /** The server is about to go. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  get isIdle(): boolean {
    return this.calls.size === 0;
  }

  grantMessages(bytes: number): void {
    if (!this.#isLeaving) this.connection.grant(0, bytes);
  }

  /** Sends nothing more, but is there for what is under way. */
  leave(): void {
    this.#isLeaving = true;
  }

  onFrame(kind: FrameKind, number: number, text: string, start: number, end: number): void {
    if (!this.#isGreeted) return this.#greet(kind, noteIn(text, start, end));
    const call = this.calls.get(number);
    switch (kind) {
      case Kind.answer:
      case Kind.streamAnswer:
        // Of one that was given up meanwhile.
        if (call === undefined || call.isSettled) return;
        return this.calls.onAnswer(call, kind === Kind.streamAnswer, text, start, end);
      case Kind.item:
        return number === 0 ? this.#onPush(text, start, end) : this.#onItem(call, text, start, end);
      case Kind.end:
        return this.calls.onEndOfStream(call, noteIn(text, start, end));
      case Kind.room:
        return this.#onRoom(number, call, roomIn(text, start, end));
      case Kind.cancel:
        return call?.room?.close();
      case Kind.goodbye:
        return this.#client.onGoodbye(this);
      case Kind.refusal:
        return this.#onFarewell(noteIn(text, start, end));
      default:
        return this.onBadFrame("bad-frame", `a server sends no ${kind}`);
    }
  }

  onBadFrame(reason: "bad-frame" | "too-large", detail: string): void {
    this.onRefused(reason, detail);
    this.#fail(new BusError("ERR_NO_PEER", `cannot understand ${this.#client.to}: ${detail}`));
  }

  onRefused(reason: ChannelRefusalReason, detail: string): void {
    this.#client.refusals.add({ reason, detail, sender: this.#client.server });
  }

  onExpired(): void {
    this.#client.onExpired();
  }

  onEnd(error: Error | undefined, isTruncated: boolean): void {
    clearTimeout(this.#handshake);
    if (isTruncated) this.onRefused("truncated", "it was gone in the middle of a frame");
    const failure = this.#failure ?? (this.#isGreeted ? lost : unheard)(this.#client.to, error);
    this.#onFailed(failure);
    this.room.close();
    this.#client.onLinkEnd(this, failure);
  }

  #greet(kind: FrameKind, text: string): void {
    if (kind === Kind.refusal) return this.#onFarewell(text);
    const hello = kind === Kind.hello ? parseHello(text) : undefined;
    if (hello === undefined || hello.name !== this.#client.name) {
      return this.onBadFrame("bad-frame", `it began with something else than H0 of "${this.#client.name}"`);
    }
    clearTimeout(this.#handshake);
    // Not before: who writes to a server that has turned it away may get EPIPE instead of the reason.
    this.connection.send(helloFrame({ room: ROOM_BYTES }));
    this.#isGreeted = true;
    this.calls.roomBytes = hello.room;
    this.#maxCalls = hello.maxCalls ?? 1;
    this.room.add(hello.room);
    this.#onGreeted();
  }

  #onFarewell(text: string): void {
    const { server } = this.#client;
    this.#fail(turnedAway(this.#client.to, server.user, parseFarewell(text)));
  }

  #onItem(call: PendingCall | undefined, text: string, start: number, end: number): void {
    const stream = call?.incoming;
    if (stream !== undefined) this.calls.onItem(stream, text, start, end, () => this.onBadFrame("bad-frame", TOO_MUCH));
  }

  #onPush(text: string, start: number, end: number): void {
    const bytes = this.connection.bytesOf(text, start, end);
    this.#envelopes.judge(text, start, end, (verdict) => {
      // What is not delivered has taken its room for nothing.
      if (verdict.kind !== "deliver") return this.grantMessages(bytes);
      this.#client.count(1, bytes);
      if (this.#isLeaving) this.#lastRoom -= bytes;
      const message = new PassingMessage(verdict.envelope, this.#client.server);
      const isWithin = this.#client.onPush(message, bytes, this) && this.#lastRoom > -this.#client.maxFrameBytes;
      if (!isWithin) this.onBadFrame("bad-frame", TOO_MUCH);
    });
  }

  #onRoom(number: number, call: PendingCall | undefined, bytes: number | undefined): void {
    if (bytes === undefined) return this.onBadFrame("bad-frame", "that is no room");
    if (number !== 0) return call?.room?.add(bytes);
    this.room.add(bytes);
    this.#client.onRoom();
  }

  #fail(error: BusError): void {
    this.#failure ??= error;
    this.connection.destroy();
  }
}
