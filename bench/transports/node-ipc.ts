import { once } from "node:events";
import type { Socket } from "node:net";
import { missingPackage } from "../servers/programs.js";
import { envelopeOf, type BenchEnvelope, type Payload } from "../envelope.js";
import { NOTHING_STARTED, type Transport } from "./transport.js";

/** What is used of it; its own declarations are of an older version. */
interface NodeIpc {
  readonly config: { id: string; silent: boolean };
  readonly of: Record<string, Emitter & { readonly socket: Socket; emit(event: string, data: unknown): void }>;
  readonly server: Emitter & { start(): void; stop(): void; emit(socket: unknown, event: string, data: unknown): void };
  serve(path: string, onStart: () => void): void;
  connectTo(id: string, path: string, onReady: () => void): void;
  disconnect(id: string): void;
}

interface Emitter {
  on(event: string, listener: (data: BenchEnvelope, socket: unknown) => void): void;
}

const NODE_IPC: string = "node-ipc";
const SERVER = "bench";

/** An event emitter between processes. */
export const nodeIpc: Transport = {
  name: "node-ipc",
  description: "node-ipc over a Unix socket, its fast profile",
  durability: "nothing",
  keepsOrder: true,
  acknowledges: false,
  fansOut: false,
  reachesDisk: false,

  missing: async () => missingPackage(NODE_IPC, "npm ci with Node >= 22.13, which node-ipc needs"),
  start: async () => NOTHING_STARTED,

  async receive({ dir }, onEnvelope) {
    const ipc = await serve(dir, (server) => server.on("envelope", onEnvelope));
    return { close: async () => ipc.server.stop() };
  },

  async send({ dir }) {
    const ipc = await connect(dir);
    const socket = ipc.of[SERVER]?.socket;
    return {
      send: (payload) => void ipc.of[SERVER]?.emit("envelope", envelopeOf(payload)),
      flush: async () => void (socket?.writableNeedDrain && (await once(socket, "drain"))),
      close: async () => ipc.disconnect(SERVER),
    };
  },

  async respond({ dir }) {
    const ipc = await serve(dir, (server) =>
      server.on("question", ({ data }, socket) => server.emit(socket, "answer", envelopeOf(data))),
    );
    return { close: async () => ipc.server.stop() };
  },

  async request({ dir }) {
    const ipc = await connect(dir);
    const waiting: ((payload: Payload) => void)[] = [];
    ipc.of[SERVER]?.on("answer", ({ data }) => waiting.shift()?.(data));
    return {
      request(payload) {
        ipc.of[SERVER]?.emit("question", envelopeOf(payload));
        return new Promise((resolve) => waiting.push(resolve));
      },
      close: async () => ipc.disconnect(SERVER),
    };
  },
};

async function load(): Promise<NodeIpc> {
  const { default: ipc } = (await import(NODE_IPC)) as { default: NodeIpc };
  ipc.config.id = SERVER;
  ipc.config.silent = true;
  return ipc;
}

async function serve(dir: string, prepare: (server: NodeIpc["server"]) => void): Promise<NodeIpc> {
  const ipc = await load();
  await new Promise<void>((resolve) => {
    ipc.serve(`${dir}/ipc`, resolve);
    prepare(ipc.server);
    ipc.server.start();
  });
  return ipc;
}

async function connect(dir: string): Promise<NodeIpc> {
  const ipc = await load();
  await new Promise<void>((resolve) => {
    ipc.connectTo(SERVER, `${dir}/ipc`, () => ipc.of[SERVER]?.on("connect", () => resolve()));
  });
  return ipc;
}
