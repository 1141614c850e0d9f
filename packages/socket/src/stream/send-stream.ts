import { failureText, type EnvelopeWriter } from "@agentbus/core";
import type { Connection } from "../wire/connection.js";
import { frame, Kind, note } from "../wire/frames.js";
import { pump } from "./pump.js";
import type { Room } from "./room.js";

export interface StreamRoute {
  /** The number of the call that it belongs to. */
  readonly call: number;
  readonly room: Room;
  readonly connection: Connection;
  readonly writer: EnvelopeWriter;
  readonly topic: string;
  /** Called for each value, with its size in bytes. */
  readonly onSent: (bytes: number) => void;
}

/** Sends what an iterable yields, value by value, as the other end has room for it. Resolves when it has ended, or is not wanted any more. */
export function sendStream(source: AsyncIterable<unknown>, route: StreamRoute, onEnd?: () => void): Promise<void> {
  const { call, room, connection } = route;
  return pump(source, {
    room,
    send: (value) => sendItem(value, route),
    end: (failure) => {
      connection.send(note(Kind.end, call, failure === undefined ? "" : failureText(failure)));
      onEnd?.();
    },
  });
}

async function sendItem(value: unknown, { call, room, connection, writer, topic, onSent }: StreamRoute): Promise<void> {
  const { text } = await writer.write(value ?? null, { topic });
  await connection.whenClear();
  if (room.isClosed) return;
  const bytes = Buffer.byteLength(text);
  room.take(bytes);
  connection.send(frame(Kind.item, call, text));
  onSent(bytes);
}
