import type { Socket } from "node:net";
import {
  BusError,
  ERROR_CODES,
  type ChannelHost,
  type ChannelMessage,
  type EnvelopeReader,
  type EnvelopeWriter,
  PassingMessage,
  type ErrorCode,
  type Sender,
  type Verdict,
} from "@agentbus/core";
import { Budget } from "../wire/budget.js";
import { Connection, type ConnectionOwner } from "../wire/connection.js";
import { frame, Kind, note, noteIn, type FrameKind } from "../wire/frames.js";
import { HANDSHAKE_MS, helloFrame, parseFarewell, parseHello, ROOM_BYTES } from "../wire/hello.js";
import { Incoming } from "../stream/incoming.js";
import { pump, Room } from "../stream/outgoing.js";
import type { PendingCall } from "./pending-call.js";
import type { Refusals } from "../refusals.js";
import { failureText } from "../serve/session.js";

/** The client, as one of its connections sees it. */
export interface LinkHost {
  readonly host: ChannelHost;
  readonly server: Sender;
  readonly name: string;
  readonly writer: EnvelopeWriter;
  readonly refusals: Refusals;
  readonly maxFrameBytes: number;
  readonly stallMs: number;
  /** @returns whether there was room for it */
  onPush(message: ChannelMessage, bytes: number): boolean;
  onExpired(): void;
  /** The answer of a call is a stream, and has begun. */
  onStream(call: PendingCall): void;
  /** A call has ended, so there may be room for another. */
  onCallEnd(call: PendingCall): void;
  /** There is room for more messages. */
  onRoom(): void;
  /** The server is about to go. */
  onGoodbye(link: Link): void;
  onLinkEnd(link: Link, error: BusError): void;
  count(messages: number, bytes: number): void;
}

/** What the answers and the messages that a client has not consumed may hold of its memory, in bytes. */
const BUDGET_BYTES = 256 * 1024 * 1024;

/** One connection to a server, and the calls that went through it. */
export class Link implements ConnectionOwner {
  readonly connection: Connection;
  /** For messages by themselves. */
  readonly room = new Room(0);
  readonly greeted: Promise<void>;
  readonly #client: LinkHost;
  readonly #reader: EnvelopeReader;
  readonly #calls = new Map<number, PendingCall>();
  readonly #budget = new Budget(BUDGET_BYTES);
  readonly #handshake: NodeJS.Timeout;
  #last = 0;
  #maxCalls = 0;
  #peerRoom = 0;
  #isGreeted = false;
  #isLeaving = false;
  #failure: BusError | undefined;
  #onGreeted!: () => void;
  #onFailed!: (error: BusError) => void;

  constructor(client: LinkHost, socket: Socket) {
    this.#client = client;
    this.#reader = client.host.envelopesFrom(client.server);
    this.greeted = new Promise((resolve, reject) => {
      this.#onGreeted = resolve;
      this.#onFailed = reject;
    });
    const { maxFrameBytes, stallMs } = client;
    this.connection = new Connection(socket, { maxFrameBytes, stallMs, budget: this.#budget }, this);
    this.#handshake = setTimeout(
      () => this.#fail(new BusError("ERR_TIMEOUT", `${this.#to} does not answer within ${HANDSHAKE_MS} ms`)),
      HANDSHAKE_MS,
    );
  }

  /** Whether a call can go through it now. */
  get isFree(): boolean {
    return this.#isGreeted && !this.#isLeaving && this.#calls.size < this.#maxCalls;
  }

  /** The server is about to go. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  get isIdle(): boolean {
    return this.#calls.size === 0;
  }

  send(call: PendingCall): void {
    const number = ++this.#last;
    call.number = number;
    this.#calls.set(number, call);
    this.#client.count(1, call.text.length);
    if (call.source === undefined) return this.connection.send(frame(Kind.call, number, call.text));
    const room = new Room(this.#peerRoom);
    call.room = room;
    this.connection.send(frame(Kind.streamCall, number, call.text));
    void pump(call.source, {
      room,
      send: (value) => this.#sendItem(number, room, value),
      end: (failure) => this.connection.send(note(Kind.end, number, failure === undefined ? "" : failureText(failure))),
    });
  }

  /** Tells the server that nobody waits for a call any more. */
  cancel(call: PendingCall): void {
    if (this.#calls.get(call.number) !== call) return;
    this.connection.send(note(Kind.cancel, call.number));
    this.#forget(call);
  }

  grantMessages(bytes: number): void {
    this.#grant(0, bytes);
  }

  /** Sends nothing more, but is there for what is under way. */
  leave(): void {
    this.#isLeaving = true;
  }

  onFrame(kind: FrameKind, number: number, text: string, start: number, end: number): void {
    if (!this.#isGreeted) return this.#greet(kind, noteIn(text, start, end));
    const call = this.#calls.get(number);
    switch (kind) {
      case Kind.answer:
      case Kind.streamAnswer:
        // Of one that was given up meanwhile.
        if (call === undefined || call.isSettled) return;
        return this.#onAnswer(kind, call, text, start, end);
      case Kind.item:
        return number === 0 ? this.#onPush(text, start, end) : this.#onItem(call, text, start, end);
      case Kind.end:
        return this.#onEndOfStream(call, noteIn(text, start, end));
      case Kind.room:
        return this.#onRoom(number, call, Number(noteIn(text, start, end)));
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
    this.#client.refusals.add(reason, detail, this.#client.server);
    this.#fail(new BusError("ERR_NO_PEER", `cannot understand ${this.#to}: ${detail}`));
  }

  onEnd(error: Error | undefined, isTruncated: boolean): void {
    clearTimeout(this.#handshake);
    if (isTruncated)
      this.#client.refusals.add("truncated", "it was gone in the middle of a frame", this.#client.server);
    const failure = this.#failure ?? (this.#isGreeted ? lost(this.#to, error) : unheard(this.#to, error));
    this.#onFailed(failure);
    this.room.close();
    this.#client.onLinkEnd(this, failure);
  }

  /** Its calls, in the order in which they were made; it knows them no more. */
  takeCalls(): PendingCall[] {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    return calls;
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
    this.#peerRoom = hello.room;
    this.#maxCalls = hello.maxCalls ?? 1;
    this.room.add(hello.room);
    this.#onGreeted();
  }

  #onFarewell(text: string): void {
    const { code, message } = parseFarewell(text);
    const known = (ERROR_CODES as readonly string[]).includes(code) ? (code as ErrorCode) : "ERR_NO_PEER";
    this.#fail(new BusError(known, `${this.#to} refuses the connection: ${message}`, { fix: this.#remedyFor(known) }));
  }

  #remedyFor(code: ErrorCode): string | undefined {
    const { user } = this.#client.server;
    if (code === "ERR_ACCESS") return `ask ${user} to serve this account too: allow: { users }`;
    if (code !== "ERR_BUSY") return undefined;
    return `close connections that are not needed, or ask ${user} to take more of an account: maxConnectionsPerUser`;
  }

  #onAnswer(kind: FrameKind, call: PendingCall, text: string, start: number, end: number): void {
    const { server } = this.#client;
    this.#client.count(1, end - start);
    this.#judge(text, start, end, (verdict) => {
      if (call.isSettled) return;
      if (verdict.kind !== "deliver") {
        call.fail(new BusError("ERR_ENVELOPE_INVALID", `the answer of ${this.#to} was refused: ${whyOf(verdict)}`));
        return this.#forget(call);
      }
      if (kind === Kind.answer) {
        call.answer(verdict.envelope, server);
        return this.#forget(call);
      }
      call.answerWithStream(verdict.envelope, server, this.#openIncoming(call));
      this.#client.onStream(call);
    });
  }

  #onItem(call: PendingCall | undefined, text: string, start: number, end: number): void {
    const incoming = call?.incoming;
    if (incoming === undefined) return;
    const bytes = this.connection.bytesOf(text, start, end);
    this.#judge(text, start, end, (verdict) => {
      if (verdict.kind !== "deliver") {
        incoming.end(new BusError("ERR_ENVELOPE_INVALID", `a part of the answer was refused: ${whyOf(verdict)}`));
        return;
      }
      this.#client.count(1, bytes);
      this.#budget.take(bytes, this.connection);
      const { data } = new PassingMessage(verdict.envelope, this.#client.server);
      if (!incoming.push(data, bytes)) this.onBadFrame("bad-frame", "more than there is room for");
    });
  }

  #onPush(text: string, start: number, end: number): void {
    const bytes = this.connection.bytesOf(text, start, end);
    this.#judge(text, start, end, (verdict) => {
      // What is not delivered has taken its room for nothing.
      if (verdict.kind !== "deliver") return this.#grant(0, bytes);
      this.#client.count(1, bytes);
      const message = new PassingMessage(verdict.envelope, this.#client.server);
      if (!this.#client.onPush(message, bytes)) this.onBadFrame("bad-frame", "more than there is room for");
    });
  }

  #onEndOfStream(call: PendingCall | undefined, why: string): void {
    if (call?.incoming === undefined) return;
    call.incoming.end(why === "" ? undefined : new BusError("ERR_RESPONDER", `the answer broke off: ${why}`));
    call.finish();
    this.#forget(call);
  }

  #onRoom(number: number, call: PendingCall | undefined, bytes: number): void {
    if (!Number.isSafeInteger(bytes) || bytes < 1) return this.onBadFrame("bad-frame", "that is no room");
    if (number !== 0) return call?.room?.add(bytes);
    this.room.add(bytes);
    this.#client.onRoom();
  }

  #openIncoming(call: PendingCall): Incoming<unknown> {
    return new Incoming(ROOM_BYTES, {
      grant: (bytes) => this.#grant(call.number, bytes),
      cancel: () => {
        this.cancel(call);
        call.finish();
      },
      release: (bytes) => this.#budget.give(bytes),
    });
  }

  async #sendItem(number: number, room: Room, value: unknown): Promise<void> {
    const { text } = await this.#client.writer.write(value ?? null, { topic: this.#client.name });
    await this.connection.whenClear();
    if (room.isClosed) return;
    const bytes = Buffer.byteLength(text);
    room.take(bytes);
    this.connection.send(frame(Kind.item, number, text));
    this.#client.count(1, bytes);
  }

  #grant(number: number, bytes: number): void {
    if (!this.connection.isOver) this.connection.send(note(Kind.room, number, String(bytes)));
  }

  #judge(text: string, start: number, end: number, use: (verdict: Verdict) => void): void {
    const judged = this.#reader.read(text, start, end);
    if (judged === undefined) return this.onBadFrame("bad-frame", "an envelope is missing");
    const decide = (verdict: Verdict) => {
      if (verdict.kind === "refuse") {
        this.#client.refusals.add(verdict.reason, verdict.detail, this.#client.server);
      } else if (verdict.kind === "expired") this.#client.onExpired();
      use(verdict);
    };
    if (judged instanceof Promise) this.connection.wait(judged.then(decide));
    else decide(judged);
  }

  #forget(call: PendingCall): void {
    if (!this.#calls.delete(call.number)) return;
    call.room?.close();
    this.#client.onCallEnd(call);
  }

  #fail(error: BusError): void {
    this.#failure ??= error;
    this.connection.destroy();
  }

  get #to(): string {
    return `@${this.#client.server.user}/${this.#client.name}`;
  }
}

function whyOf(verdict: Exclude<Verdict, { kind: "deliver" }>): string {
  return verdict.kind === "expired" ? "it had expired" : `${verdict.reason}, ${verdict.detail}`;
}

function lost(to: string, cause: Error | undefined): BusError {
  const why = cause === undefined ? "" : `: ${(cause as NodeJS.ErrnoException).code ?? cause.message}`;
  return new BusError("ERR_NO_PEER", `the connection to ${to} was lost${why}`, { cause });
}

function unheard(to: string, cause: Error | undefined): BusError {
  return new BusError(
    "ERR_NO_PEER",
    `${to} closed the connection without a word: it ends, or has no descriptors left`,
    {
      cause,
      fix: "try again, or say how long to wait for it: { waitMs }; ulimit -n is what a process has of descriptors",
    },
  );
}
