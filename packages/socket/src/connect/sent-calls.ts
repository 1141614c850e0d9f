import { BusError, PassingMessage, type EnvelopeWriter, type Sender, type Verdict } from "@agentbus/core";
import { Incoming } from "../stream/incoming.js";
import { Room } from "../stream/room.js";
import { sendStream } from "../stream/send-stream.js";
import type { Budget } from "../wire/budget.js";
import type { Connection } from "../wire/connection.js";
import type { Envelopes } from "../wire/envelopes.js";
import { frame, Kind, note } from "../wire/frames.js";
import { ROOM_BYTES } from "../wire/hello.js";
import { CallNumbers } from "./call-numbers.js";
import type { PendingCall } from "./pending-call.js";

/** The client, as the calls that it has sent see it. */
export interface SentCallsHost {
  readonly to: string;
  readonly server: Sender;
  readonly name: string;
  readonly writer: EnvelopeWriter;
  /** The answer of a call is a stream, and has begun. */
  onStream(call: PendingCall): void;
  /** A call has ended, so there may be room for another. */
  onCallEnd(call: PendingCall): void;
  count(messages: number, bytes: number): void;
}

/** The calls that went through one connection, and the streams that belong to them, until each has ended. */
export class SentCalls {
  /** Bytes of a stream that the server has room for at first. */
  roomBytes = 0;
  readonly #client: SentCallsHost;
  readonly #connection: Connection;
  readonly #envelopes: Envelopes;
  readonly #calls = new Map<number, PendingCall>();
  readonly #numbers = new CallNumbers();
  readonly #isUsed = (number: number) => this.#calls.has(number);
  readonly #budget: Budget;

  constructor(client: SentCallsHost, connection: Connection, envelopes: Envelopes, budget: Budget) {
    this.#budget = budget;
    this.#client = client;
    this.#connection = connection;
    this.#envelopes = envelopes;
  }

  get size(): number {
    return this.#calls.size;
  }

  get(number: number): PendingCall | undefined {
    return this.#calls.get(number);
  }

  send(call: PendingCall): void {
    const connection = this.#connection;
    const number = this.#numbers.next(this.#isUsed);
    call.number = number;
    this.#calls.set(number, call);
    this.#client.count(1, call.text.length);
    if (call.source === undefined) return connection.send(frame(Kind.call, number, call.text));
    const room = new Room(this.roomBytes);
    call.room = room;
    connection.send(frame(Kind.streamCall, number, call.text));
    const { writer, name } = this.#client;
    const onSent = (bytes: number) => this.#client.count(1, bytes);
    void sendStream(call.source, { call: number, room, connection, writer, topic: name, onSent });
  }

  /** Tells the server that nobody waits for a call any more. */
  cancel(call: PendingCall): void {
    if (this.#calls.get(call.number) !== call) return;
    this.#connection.send(note(Kind.cancel, call.number));
    this.#forget(call);
  }

  /** All of them, in the order in which they were made; it knows them no more. */
  take(): PendingCall[] {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    return calls;
  }

  /** @param isStream whether its data follows */
  onAnswer(call: PendingCall, isStream: boolean, text: string, start: number, end: number): void {
    const { server, to } = this.#client;
    this.#client.count(1, end - start);
    this.#envelopes.judge(text, start, end, (verdict) => {
      if (call.isSettled) return;
      if (verdict.kind !== "deliver") {
        call.fail(new BusError("ERR_ENVELOPE_INVALID", `the answer of ${to} was refused: ${whyOf(verdict)}`));
        return this.#forget(call);
      }
      if (!isStream) {
        call.answer(verdict.envelope, server);
        return this.#forget(call);
      }
      call.answerWithStream(verdict.envelope, server, this.#openStream(call));
      this.#client.onStream(call);
    });
  }

  /** @param onTooMuch called when the server has sent more than there was room for */
  onItem(stream: Incoming<unknown>, text: string, start: number, end: number, onTooMuch: () => void): void {
    const bytes = this.#connection.bytesOf(text, start, end);
    this.#envelopes.judge(text, start, end, (verdict) => {
      if (verdict.kind !== "deliver") {
        const error = `a part of the answer was refused: ${whyOf(verdict)}`;
        return stream.end(new BusError("ERR_ENVELOPE_INVALID", error));
      }
      this.#client.count(1, bytes);
      this.#budget.take(bytes, this.#connection);
      const { data } = new PassingMessage(verdict.envelope, this.#client.server);
      if (!stream.push(data, bytes)) onTooMuch();
    });
  }

  onEndOfStream(call: PendingCall | undefined, why: string): void {
    if (call?.incoming === undefined) return;
    call.incoming.end(why === "" ? undefined : new BusError("ERR_RESPONDER", `the answer broke off: ${why}`));
    call.finish();
    this.#forget(call);
  }

  #openStream(call: PendingCall): Incoming<unknown> {
    return new Incoming(ROOM_BYTES, {
      grant: (bytes) => this.#connection.grant(call.number, bytes),
      cancel: () => {
        this.cancel(call);
        call.finish();
      },
      release: (bytes) => this.#budget.give(bytes),
    });
  }

  #forget(call: PendingCall): void {
    if (!this.#calls.delete(call.number)) return;
    call.room?.close();
    this.#client.onCallEnd(call);
  }
}

function whyOf(verdict: Exclude<Verdict, { kind: "deliver" }>): string {
  return verdict.kind === "expired" ? "it had expired" : `${verdict.reason}, ${verdict.detail}`;
}
