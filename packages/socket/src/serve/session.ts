import {
  BusError,
  type ChannelHost,
  type EnvelopeReader,
  type EnvelopeWriter,
  type Sender,
  type SendOptions,
  type Sent,
  type SocketPeer,
  type SocketStatistics,
  type Verdict,
} from "@agentbus/core";
import type { Account } from "./accounts.js";
import { Connection, type ConnectionOwner } from "../wire/connection.js";
import { frame, Kind, note, noteIn, type FrameKind } from "../wire/frames.js";
import { farewellFrame, HANDSHAKE_MS, helloFrame, parseHello, ROOM_BYTES } from "../wire/hello.js";
import { Incoming } from "../stream/incoming.js";
import { isAsyncIterable } from "../iterable.js";
import type { Guest, Standing } from "./leave-taking.js";
import { Outlet } from "../stream/outlet.js";
import { pump, Room } from "../stream/outgoing.js";
import type { Peer } from "../place/peer.js";
import type { Refusals } from "../refusals.js";
import { cancelled, ServedMessage, type MessageHost } from "./served-message.js";

/** Calls of one connection that are taken at a time. */
const MAX_CALLS = 256;
/** What it takes to keep a message, besides its text, in bytes or so: short ones take no less. */
const MESSAGE_BYTES = 1_024;
/** A frame that is refused takes as long as several that are not. */
const REFUSED_UNITS = 8;
/** Longest text of a failure that is sent back, in characters. */
const MAX_FAILURE_TEXT = 1_000;

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
export class Session implements ConnectionOwner, MessageHost, Guest {
  readonly sender: Sender;
  readonly peer: SocketPeer;
  readonly account: Account;
  readonly connection: Connection;
  readonly #server: SessionHost;
  readonly #reader: EnvelopeReader;
  readonly #writer: EnvelopeWriter;
  readonly #calls = new Map<number, ServedMessage>();
  /** Streams of arguments. */
  readonly #incoming = new Map<number, Incoming<unknown>>();
  /** Room for streams of answers; that of call 0 is for messages. */
  readonly #rooms = new Map<number, Room>();
  /** Answers that are streams, and have not ended. */
  readonly #streaming = new Map<ServedMessage, Promise<void>>();
  readonly #outlet: Outlet;
  #peerRoom = 0;
  #isGreeted = false;
  #isLeaving = false;
  #isClosed = false;
  #messageBytes = 0;
  readonly #handshake: NodeJS.Timeout;

  constructor(
    server: SessionHost,
    socket: ConstructorParameters<typeof Connection>[0],
    facts: { readonly sender: Sender; readonly peer: Peer; readonly account: Account },
  ) {
    const { sender, peer, account } = facts;
    this.#server = server;
    this.sender = sender;
    this.account = account;
    this.#reader = server.host.envelopesFrom(sender);
    this.#writer = server.host.envelopesTo(`@${sender.user}`);
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
    const { maxFrameBytes, stallMs } = server;
    this.connection = new Connection(socket, { maxFrameBytes, stallMs, budget: account.budget }, this);
    this.#handshake = setTimeout(() => this.onBadFrame("bad-frame", "it said nothing"), HANDSHAKE_MS);
    this.connection.send(helloFrame({ name: server.name, room: ROOM_BYTES, maxCalls: MAX_CALLS }));
  }

  get standing(): Standing {
    if (this.#awaitsClient()) return "awaited";
    return this.#calls.size > 0 || this.#messageBytes > 0 || this.connection.isPaused ? "working" : "idle";
  }

  get progress(): number {
    return this.connection.bytesThrough;
  }

  /** Sends a message to it, if there is room for it now. @param text an envelope to this client */
  tryPush(text: string): boolean {
    return this.#isGreeted && this.#outlet.trySend(text);
  }

  write(data: unknown, options: SendOptions | undefined): ReturnType<EnvelopeWriter["write"]> {
    return this.#writer.write(data, { topic: this.#server.name, ...options });
  }

  /** Answers what comes, and asks the client to go. */
  sayGoodbye(): void {
    this.#isLeaving = true;
    this.connection.send(note(Kind.goodbye, 0));
  }

  letGo(why: string): void {
    this.#isClosed = true;
    this.#abortAll(why);
    // Who does not take what it was sent does not take the end either.
    if (this.connection.hasUnsent) this.connection.destroy();
    else this.connection.end();
  }

  /** Closes now; what is in work is aborted. */
  close(): void {
    this.#isClosed = true;
    this.#abortAll("the server was closed");
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
        return this.#onItem(call, text, start, end);
      case Kind.end:
        return this.#incoming.get(call)?.end(brokenOff(noteIn(text, start, end)));
      case Kind.room:
        return this.#onRoom(call, Number(noteIn(text, start, end)));
      case Kind.cancel:
        return this.#onCancel(call);
      default:
        return this.onBadFrame("bad-frame", `a client sends no ${kind}`);
    }
  }

  onBadFrame(reason: "bad-frame" | "too-large", detail: string): void {
    if (this.connection.isOver) return;
    this.#server.refusals.add(reason, detail, this.sender);
    this.connection.send(farewellFrame({ code: "ERR_ENVELOPE_INVALID", message: detail }));
    this.close();
  }

  onEnd(_error: Error | undefined, isTruncated: boolean): void {
    clearTimeout(this.#handshake);
    if (isTruncated) this.#server.refusals.add("truncated", "it was gone in the middle of a frame", this.sender);
    this.#abortAll("it has gone");
    this.#outlet.failAll(this.#gone());
    this.#server.onSessionEnd(this);
  }

  /** @throws nothing: what cannot be sent becomes a failure */
  answer(message: ServedMessage, data: unknown): void {
    if (isAsyncIterable(data)) return this.#answerWithStream(message, data);
    const options = { topic: message.topic, type: replyTypeOf(message.type), cause: message };
    this.#write(message, data ?? null, options, (text) => this.#finish(message, text));
  }

  refuse(message: ServedMessage, reason: string): void {
    const replyerror = reason.slice(0, MAX_FAILURE_TEXT) || "it failed";
    const options = {
      topic: message.topic,
      type: replyTypeOf(message.type),
      cause: message,
      extensions: { replyerror },
    };
    const written = this.#writer.write(null, options);
    if (written instanceof Promise) void written.then(({ text }) => this.#finish(message, text));
    else this.#finish(message, written.text);
  }

  /** Resolves when a stream of answers has ended. */
  whenAnswered(message: ServedMessage): Promise<void> | undefined {
    return this.#streaming.get(message);
  }

  #greet(kind: FrameKind, text: string): void {
    const hello = kind === Kind.hello ? parseHello(text) : undefined;
    if (hello === undefined) return this.onBadFrame("bad-frame", "it began with something else than H0");
    clearTimeout(this.#handshake);
    this.#isGreeted = true;
    this.#peerRoom = hello.room;
    const room = new Room(hello.room);
    this.#rooms.set(0, room);
    this.#outlet.attach(this.connection, room);
  }

  #onCall(kind: FrameKind, call: number, text: string, start: number, end: number): void {
    if (call === 0 || this.#calls.has(call)) return this.onBadFrame("bad-frame", "the number of a call is used");
    if (this.#calls.size >= MAX_CALLS) return this.onBadFrame("bad-frame", `more than ${MAX_CALLS} calls at a time`);
    const bytes = this.connection.bytesOf(text, start, end);
    const stream = kind === Kind.streamCall ? this.#openIncoming(call) : undefined;
    this.#judge(text, start, end, (verdict) => {
      if (verdict.kind !== "deliver") return this.#refuseCall(call, verdict);
      const message = new ServedMessage(verdict.envelope, call, this, stream);
      this.#calls.set(call, message);
      this.#handOut(message, bytes);
    });
  }

  /** A call that is not made is answered all the same: nobody shall wait for it. */
  #refuseCall(call: number, verdict: Exclude<Verdict, { kind: "deliver" }>): void {
    this.#incoming.get(call)?.drop();
    this.#incoming.delete(call);
    const why = verdict.kind === "expired" ? "it had expired" : `${verdict.reason}: ${verdict.detail}`;
    const options = {
      topic: this.#server.name,
      extensions: { replyerror: `the call was refused: ${why}`.slice(0, 900) },
    };
    const send = ({ text }: { readonly text: string }) => this.connection.send(frame(Kind.answer, call, text));
    const written = this.#writer.write(null, options);
    if (written instanceof Promise) void written.then(send);
    else send(written);
  }

  #onItem(call: number, text: string, start: number, end: number): void {
    const incoming = this.#incoming.get(call);
    // Of a call that has ended meanwhile.
    if (call !== 0 && incoming === undefined) return;
    const bytes = this.connection.bytesOf(text, start, end);
    if (call === 0 && this.#messageBytes >= ROOM_BYTES)
      return this.onBadFrame("bad-frame", "more than there is room for");
    this.#judge(text, start, end, (verdict) => {
      if (verdict.kind !== "deliver") {
        // What was refused has taken its room for nothing.
        if (call === 0) this.#grant(0, bytes);
        else incoming?.end(new BusError("ERR_ENVELOPE_INVALID", "an item of the stream was refused"));
        return;
      }
      const message = new ServedMessage(verdict.envelope, 0, this);
      this.#server.count(1, bytes);
      if (call === 0) return this.#onOneWay(message, bytes);
      this.account.budget.take(bytes, this.connection);
      if (incoming?.push(message.data, bytes) === false) this.onBadFrame("bad-frame", "more than there is room for");
    });
  }

  #onOneWay(message: ServedMessage, bytes: number): void {
    this.#messageBytes += bytes;
    this.#handOut(message, bytes, () => {
      this.#messageBytes -= bytes;
      this.#grant(0, bytes);
    });
  }

  #handOut(message: ServedMessage, bytes: number, onConsumed?: () => void): void {
    if (message.isCall) this.#server.count(1, bytes);
    const held = bytes + MESSAGE_BYTES;
    this.account.budget.take(held, this.connection);
    this.#server.onMessage(message, this, () => {
      this.account.budget.give(held);
      onConsumed?.();
    });
  }

  #onRoom(call: number, bytes: number): void {
    if (!Number.isSafeInteger(bytes) || bytes < 1) return this.onBadFrame("bad-frame", "that is no room");
    this.#rooms.get(call)?.add(bytes);
    if (call === 0) this.#outlet.flush();
  }

  #onCancel(call: number): void {
    const message = this.#calls.get(call);
    if (message === undefined) return;
    this.#abort(call, message, "whoever asked gave up");
  }

  #judge(text: string, start: number, end: number, use: (verdict: Verdict) => void): void {
    const judged = this.#reader.read(text, start, end);
    if (judged === undefined) return this.onBadFrame("bad-frame", "an envelope is missing");
    const decide = (verdict: Verdict) => {
      if (verdict.kind === "refuse") this.#server.refusals.add(verdict.reason, verdict.detail, this.sender);
      else if (verdict.kind === "expired") this.#server.stats.expired++;
      use(verdict);
    };
    if (judged instanceof Promise) return this.connection.wait(judged.then(decide));
    decide(judged);
    const turn = this.account.patience.spend(judged.kind === "deliver" ? 1 : REFUSED_UNITS);
    if (turn !== undefined) this.connection.wait(turn);
  }

  #openIncoming(call: number): Incoming<unknown> {
    const incoming: Incoming<unknown> = new Incoming(ROOM_BYTES, {
      grant: (bytes) => this.#grant(call, bytes),
      cancel: () => {
        this.#incoming.delete(call);
        this.connection.send(note(Kind.cancel, call));
      },
      release: (bytes) => this.account.budget.give(bytes),
    });
    this.#incoming.set(call, incoming);
    return incoming;
  }

  #grant(call: number, bytes: number): void {
    if (!this.connection.isOver) this.connection.send(note(Kind.room, call, String(bytes)));
  }

  #answerWithStream(message: ServedMessage, source: AsyncIterable<unknown>): void {
    const { call, topic } = message;
    const type = replyTypeOf(message.type);
    this.#write(message, null, { topic, type, cause: message }, (text) => {
      this.connection.send(frame(Kind.streamAnswer, call, text));
      const room = new Room(this.#peerRoom);
      this.#rooms.set(call, room);
      const streaming = pump(source, {
        room,
        send: (value) => this.#sendItem(call, room, value),
        end: (failure) => {
          this.connection.send(note(Kind.end, call, failure === undefined ? "" : failureText(failure)));
          this.#server.stats.answered++;
          this.#forget(call);
        },
      });
      this.#streaming.set(message, streaming);
      void streaming.finally(() => this.#streaming.delete(message));
    });
  }

  async #sendItem(call: number, room: Room, value: unknown): Promise<void> {
    const { text } = await this.#writer.write(value ?? null, { topic: this.#server.name });
    await this.connection.whenClear();
    if (room.isClosed) return;
    const bytes = Buffer.byteLength(text);
    room.take(bytes);
    this.connection.send(frame(Kind.item, call, text));
    this.#server.count(1, bytes);
  }

  /** Writes an answer; what cannot be written is told as a failure. */
  #write(message: ServedMessage, data: unknown, options: SendOptions, use: (text: string) => void): void {
    try {
      const written = this.#writer.write(data, options);
      if (!(written instanceof Promise)) return use(written.text);
      void written.then(
        ({ text }) => use(text),
        (error: unknown) => this.refuse(message, failureText(error)),
      );
    } catch (error) {
      this.refuse(message, failureText(error));
    }
  }

  #finish(message: ServedMessage, text: string): void {
    if (this.connection.isOver || !this.#forget(message.call)) return;
    this.#server.stats.answered++;
    this.#server.count(1, text.length);
    this.connection.send(frame(Kind.answer, message.call, text));
  }

  /** @returns whether anybody still waited for it */
  #forget(call: number): boolean {
    if (this.#incoming.size > 0) {
      this.#incoming.get(call)?.drop();
      this.#incoming.delete(call);
    }
    if (call !== 0 && this.#rooms.size > 1) {
      this.#rooms.get(call)?.close();
      this.#rooms.delete(call);
    }
    return this.#calls.delete(call);
  }

  async #push(data: unknown, options?: SendOptions): Promise<Sent> {
    const { id, text } = await this.write(data, options);
    // Asked to go, it stays for what it has called for.
    if (this.connection.isOver || (this.#isLeaving && this.#calls.size === 0)) throw this.#gone();
    await this.#outlet.send(text, options?.signal);
    return { id };
  }

  /** Whether it has to take something, or to send something of a stream, before anything here goes on. */
  #awaitsClient(): boolean {
    if (this.connection.hasUnsent || !this.#outlet.isEmpty) return true;
    for (const [call, room] of this.#rooms) if (call !== 0 && !room.isThere) return true;
    for (const incoming of this.#incoming.values()) if (incoming.isAwaited) return true;
    return false;
  }

  #abortAll(why: string): void {
    for (const [call, message] of this.#calls) this.#abort(call, message, why);
    for (const room of this.#rooms.values()) room.close();
  }

  #abort(call: number, message: ServedMessage, why: string): void {
    const reason = cancelled(why);
    this.#incoming.get(call)?.abort(reason);
    message.abort(reason);
    this.#forget(call);
  }

  #gone(): BusError {
    return new BusError("ERR_NO_PEER", `cannot send to ${this.sender.user}: its connection is closed`);
  }
}

export function failureText(error: unknown): string {
  try {
    return (error instanceof Error ? error.message : String(error)).replaceAll("\n", " ").slice(0, MAX_FAILURE_TEXT);
  } catch {
    return "it failed, and what it threw says nothing";
  }
}

function brokenOff(why: string): BusError | undefined {
  return why === "" ? undefined : new BusError("ERR_RESPONDER", `the stream broke off: ${why}`);
}

function replyTypeOf(type: string): string {
  return `${type}.reply`;
}
