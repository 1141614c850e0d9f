import {
  BusError,
  failureText,
  isAsyncIterable,
  type EnvelopeWriter,
  type SendOptions,
  type Verdict,
} from "@agentbus/core";
import { Incoming } from "../stream/incoming.js";
import { Room } from "../stream/room.js";
import { sendStream } from "../stream/send-stream.js";
import type { Connection } from "../wire/connection.js";
import { frame, Kind, note } from "../wire/frames.js";
import { ROOM_BYTES } from "../wire/hello.js";
import type { Account } from "./accounts.js";
import { cancelled, type ServedMessage } from "./served-message.js";

/** The session that the calls came through. */
export interface CallsHost {
  readonly connection: Connection;
  readonly account: Account;
  readonly writer: EnvelopeWriter;
  /** What the server serves. */
  readonly name: string;
  /** An answer has been sent, or a stream of them has ended. */
  onAnswered(): void;
  count(messages: number, bytes: number): void;
}

type Refused = Exclude<Verdict, { kind: "deliver" }>;

/** The calls of one client that are not answered, the streams that belong to them, and how they are answered. */
export class OpenCalls {
  /** Bytes of a stream that the client has room for at first. */
  roomBytes = 0;
  readonly #host: CallsHost;
  readonly #calls = new Map<number, ServedMessage>();
  /** Streams of arguments. */
  readonly #incoming = new Map<number, Incoming<unknown>>();
  /** Room for streams of answers. */
  readonly #rooms = new Map<number, Room>();
  /** Answers that are streams, and have not ended. */
  readonly #streaming = new Map<ServedMessage, Promise<void>>();

  constructor(host: CallsHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#calls.size;
  }

  has(call: number): boolean {
    return this.#calls.has(call);
  }

  /** Whether the client has to take or send something of a stream before it goes on. */
  get awaitClient(): boolean {
    for (const room of this.#rooms.values()) if (!room.isThere) return true;
    for (const incoming of this.#incoming.values()) if (incoming.isAwaited) return true;
    return false;
  }

  add(message: ServedMessage): void {
    this.#calls.set(message.call, message);
  }

  /** The stream that is the data of a call. */
  openStream(call: number): Incoming<unknown> {
    const { connection, account } = this.#host;
    const incoming: Incoming<unknown> = new Incoming(ROOM_BYTES, {
      grant: (bytes) => connection.grant(call, bytes),
      cancel: () => {
        this.#incoming.delete(call);
        connection.send(note(Kind.cancel, call));
      },
      release: (bytes) => account.budget.give(bytes),
    });
    this.#incoming.set(call, incoming);
    return incoming;
  }

  /** @returns undefined when the call has none, or has ended */
  streamOf(call: number): Incoming<unknown> | undefined {
    return this.#incoming.get(call);
  }

  addRoom(call: number, bytes: number): void {
    this.#rooms.get(call)?.add(bytes);
  }

  /** @throws nothing: what cannot be sent becomes a failure */
  answer(message: ServedMessage, data: unknown): void {
    if (isAsyncIterable(data)) return this.#answerWithStream(message, data);
    this.#write(message, data ?? null, answerTo(message), (text) => this.#finish(message, text));
  }

  fail(message: ServedMessage, reason: string): void {
    const options = { ...answerTo(message), extensions: { replyerror: failureText(reason) } };
    const written = this.#host.writer.write(null, options);
    if (written instanceof Promise) void written.then(({ text }) => this.#finish(message, text));
    else this.#finish(message, written.text);
  }

  /** A call that is not made is answered all the same: nobody shall wait for it. */
  refuse(call: number, verdict: Refused): void {
    const { connection, writer, name } = this.#host;
    this.#dropStream(call);
    const why = verdict.kind === "expired" ? "it had expired" : `${verdict.reason}: ${verdict.detail}`;
    const options = { topic: name, extensions: { replyerror: failureText(`the call was refused: ${why}`) } };
    const send = ({ text }: { readonly text: string }) => connection.send(frame(Kind.answer, call, text));
    const written = writer.write(null, options);
    if (written instanceof Promise) void written.then(send);
    else send(written);
  }

  /** Resolves when a stream of answers has ended. */
  whenAnswered(message: ServedMessage): Promise<void> | undefined {
    return this.#streaming.get(message);
  }

  cancel(call: number): void {
    const message = this.#calls.get(call);
    if (message !== undefined) this.#abort(message, "whoever asked gave up");
  }

  abortAll(why: string): void {
    for (const message of this.#calls.values()) this.#abort(message, why);
    for (const room of this.#rooms.values()) room.close();
  }

  #answerWithStream(message: ServedMessage, source: AsyncIterable<unknown>): void {
    const { connection, writer, name } = this.#host;
    const { call } = message;
    this.#write(message, null, answerTo(message), (text) => {
      connection.send(frame(Kind.streamAnswer, call, text));
      const room = new Room(this.roomBytes);
      this.#rooms.set(call, room);
      const route = {
        call,
        room,
        connection,
        writer,
        topic: name,
        onSent: (bytes: number) => this.#host.count(1, bytes),
      };
      const streaming = sendStream(source, route, () => {
        this.#host.onAnswered();
        this.#forget(call);
      });
      this.#streaming.set(message, streaming);
      void streaming.finally(() => this.#streaming.delete(message));
    });
  }

  /** Writes an answer; what cannot be written is told as a failure. */
  #write(message: ServedMessage, data: unknown, options: SendOptions, use: (text: string) => void): void {
    try {
      const written = this.#host.writer.write(data, options);
      if (!(written instanceof Promise)) return use(written.text);
      void written.then(
        ({ text }) => use(text),
        (error: unknown) => this.fail(message, failureText(error)),
      );
    } catch (error) {
      this.fail(message, failureText(error));
    }
  }

  #finish({ call }: ServedMessage, text: string): void {
    const { connection } = this.#host;
    if (connection.isOver || !this.#forget(call)) return;
    this.#host.onAnswered();
    this.#host.count(1, text.length);
    connection.send(frame(Kind.answer, call, text));
  }

  #abort(message: ServedMessage, why: string): void {
    const reason = cancelled(why);
    this.#incoming.get(message.call)?.abort(reason);
    message.abort(reason);
    this.#forget(message.call);
  }

  /** @returns whether anybody still waited for it */
  #forget(call: number): boolean {
    if (this.#incoming.size > 0) this.#dropStream(call);
    if (this.#rooms.size > 0) {
      this.#rooms.get(call)?.close();
      this.#rooms.delete(call);
    }
    return this.#calls.delete(call);
  }

  #dropStream(call: number): void {
    this.#incoming.get(call)?.drop();
    this.#incoming.delete(call);
  }
}

/** Why a stream of arguments has ended before its end. */
export function brokenOff(why: string): BusError | undefined {
  return why === "" ? undefined : new BusError("ERR_RESPONDER", `the stream broke off: ${why}`);
}

function answerTo(message: ServedMessage): SendOptions {
  return { topic: message.topic, type: `${message.type}.reply`, cause: message };
}
