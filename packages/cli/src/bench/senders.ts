import { once } from "node:events";
import { createConnection } from "node:net";
import type { Bus } from "@agentbus/core";
import { envelopesOf, TOPIC, type Payload } from "./payload.js";
import { socketPathIn } from "./receivers.js";

/** Hands a payload over; a promise resolves when it is accepted. */
export type Sender = (payload: Payload) => void | Promise<unknown>;

export function spoolSender(bus: Bus): Sender {
  return (payload) => bus.publish(TOPIC, payload);
}

/** Each envelope is a line of JSON. It ends with its receiver. */
export async function socketSender(dir: string, user: string): Promise<Sender> {
  const socket = createConnection(socketPathIn(dir));
  await once(socket, "connect");
  // Its receiver has ended, and says so in its own way.
  socket.on("error", () => undefined);
  const envelopeOf = envelopesOf(user);
  return (payload) => void socket.write(`${JSON.stringify(envelopeOf(payload))}\n`);
}
