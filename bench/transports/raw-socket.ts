import { chmodSync, readdirSync } from "node:fs";
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { envelopeOf, parseEnvelope, textOf, type BenchEnvelope, type Payload } from "../envelope.js";
import { NOTHING_STARTED, type End, type Place, type Transport } from "./transport.js";

/** The floor for one hop between two Node processes: it stores nothing, and knows nobody. */
export const rawSocket: Transport = {
  name: "raw-socket",
  description: "a Unix socket of Node, one line of JSON a message",
  durability: "nothing",
  keepsOrder: true,
  acknowledges: false,
  fansOut: true,
  reachesDisk: false,

  missing: async () => undefined,
  start: async () => NOTHING_STARTED,

  receive: (place, onEnvelope, subscription) =>
    listen(place, `socket-${subscription}`, (_, line) => onEnvelope(parseEnvelope(line))),

  async send({ dir }) {
    const names = readdirSync(dir).filter((name) => name.startsWith("socket-"));
    const sockets = await Promise.all(names.map((name) => connect(`${dir}/${name}`)));
    return {
      send(payload) {
        const line = `${textOf(payload)}\n`;
        for (const socket of sockets) socket.write(line);
      },
      flush: () =>
        Promise.all(sockets.filter((socket) => socket.writableNeedDrain).map((socket) => once(socket, "drain"))),
      close: async () => void (await Promise.all(sockets.map(end))),
    };
  },

  respond: (place) =>
    listen(place, "answers", (socket, line) => {
      const { data }: BenchEnvelope = parseEnvelope(line);
      socket.write(`${JSON.stringify(envelopeOf(data))}\n`);
    }),

  async request({ dir }) {
    const socket = await connect(`${dir}/answers`);
    const waiting: ((payload: Payload) => void)[] = [];
    readLines(socket, (line) => waiting.shift()?.(parseEnvelope(line).data));
    return {
      request(payload) {
        socket.write(`${textOf(payload)}\n`);
        return new Promise((resolve) => waiting.push(resolve));
      },
      close: () => end(socket),
    };
  },
};

async function listen(
  { dir, group }: Place,
  name: string,
  onLine: (socket: Socket, line: string) => void,
): Promise<End> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    readLines(socket, (line) => onLine(socket, line));
  });
  server.listen(`${dir}/${name}`);
  await once(server, "listening");
  // Connecting takes the right to write.
  if (group !== undefined) chmodSync(`${dir}/${name}`, 0o660);
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function connect(path: string): Promise<Socket> {
  const socket = createConnection(path);
  await once(socket, "connect");
  return socket;
}

async function end(socket: Socket): Promise<void> {
  socket.end();
  await once(socket, "close");
}

function readLines(socket: Socket, onLine: (line: string) => void): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    // A large message comes in many pieces, which are not searched again.
    if (!text.includes("\n")) return void (rest += text);
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
}
