import { once } from "node:events";
import { createServer } from "node:net";
import { openBus } from "@agentbus/core";
import { TOPIC, type Payload } from "./payload.js";

/** Requests to this topic are answered with their own data. */
export const ECHO_TOPIC = "bench.echo";

/** Agentbus, and what it is compared with: a Unix socket of Node, the floor for one hop, which stores nothing and knows nobody. */
export type Transport = "spool" | "socket";

export const TRANSPORTS: readonly Transport[] = ["spool", "socket"];

export function spoolDirIn(dir: string): string {
  return `${dir}/spool`;
}

export function socketPathIn(dir: string): string {
  return `${dir}/socket`;
}

type Receive = (dir: string, onPayload: (payload: Payload) => void) => Promise<Receiver>;

interface Receiver {
  /** Rejects when nothing more is received. */
  readonly done: Promise<unknown>;
}

/** The receiving side of each transport. Resolves once everything that is sent from then on arrives. */
export const RECEIVE: Readonly<Record<Transport, Receive>> = {
  async spool(dir, onPayload) {
    const bus = await openBus({ spool: spoolDirIn(dir) });
    const subscription = await bus.subscribe(TOPIC, { durable: "bench" }, ({ data }) => onPayload(data as Payload));
    const responder = await bus.respond(ECHO_TOPIC, ({ data }) => data);
    return { done: Promise.all([subscription.done, responder.done]) };
  },

  async socket(dir, onPayload) {
    const server = createServer((socket) => {
      let rest = "";
      socket.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) onPayload((JSON.parse(line) as { data: Payload }).data);
      });
    });
    server.listen(socketPathIn(dir));
    await once(server, "listening");
    return { done: once(server, "close") };
  },
};
