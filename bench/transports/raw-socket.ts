import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { envelopeOf, type BenchEnvelope } from "../envelope.js";
import type { Transport } from "./transport.js";

/** The floor for one hop between two Node processes: it stores nothing, and knows nobody. */
export const rawSocket: Transport = {
  name: "raw-socket",
  description: "a Unix socket of Node, one line of JSON a message",
  keepsOrder: true,

  start: async () => async () => undefined,

  async receive(dir, onEnvelope) {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      readLines(socket, (line) => onEnvelope(JSON.parse(line) as BenchEnvelope));
    });
    server.listen(`${dir}/socket`);
    await once(server, "listening");
    return {
      close: async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
        await once(server, "close");
      },
    };
  },

  async send(dir) {
    const socket = createConnection(`${dir}/socket`);
    await once(socket, "connect");
    return {
      send: (payload) => void socket.write(`${JSON.stringify(envelopeOf(payload))}\n`),
      close: async () => {
        socket.end();
        await once(socket, "close");
      },
    };
  },
};

function readLines(socket: Socket, onLine: (line: string) => void): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
}
