import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  createSpool,
  openBus,
  type Bus,
  type CallOptions,
  type ConnectOptions,
  type SendingEnd,
  type ServeHandler,
  type ServeOptions,
  type SocketClient,
} from "@agentbus/core";
import type { ChannelArena, ChannelDriver, Intruder, ReceiverProcess } from "@agentbus/core/conformance";
import { CAPABILITIES } from "#socket/capabilities.js";

const NAME = "arena";
const HELLO = 'H0 {"agentbus":1,"room":1000000000}\n';

/** A personal spool of this account, and the buses that are open on it. */
export class SocketArena implements ChannelArena {
  readonly maxEnvelopeBytes = 4 * 1024 * 1024;
  readonly user = userInfo().username;
  readonly uid = userInfo().uid;
  readonly spool: string;
  readonly #parentDir: string;
  readonly #buses: Bus[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #sockets: Socket[] = [];

  private constructor(parentDir: string) {
    this.#parentDir = parentDir;
    this.spool = `${parentDir}/spool`;
  }

  static async open(): Promise<SocketArena> {
    const arena = new SocketArena(fs.realpathSync(fs.mkdtempSync(`${tmpdir()}/agentbus-socket-`)));
    await createSpool({ spool: arena.spool, env: {} });
    return arena;
  }

  get address(): string {
    return `@${this.user}/${NAME}`;
  }

  get path(): string {
    return `${this.runDir}/${NAME}.sock`;
  }

  get runDir(): string {
    return `${this.spool}/run/${this.user}`;
  }

  async bus(): Promise<Bus> {
    const bus = await openBus({ spool: this.spool, rescanMs: 100 });
    this.#buses.push(bus);
    return bus;
  }

  async receive(options: ServeOptions = {}) {
    return (await this.bus()).serve(NAME, options);
  }

  /** A server with a handler. */
  async serve<Data = unknown>(handler: ServeHandler<Data>, options: ServeOptions = {}) {
    return (await this.bus()).serve<Data>(NAME, options, handler);
  }

  async connect<Data = unknown>(options: ConnectOptions = {}): Promise<SocketClient<Data>> {
    return (await this.bus()).connect<Data>(this.address, options);
  }

  /** Waits for its receiver, should there be none yet. */
  async send(): Promise<SendingEnd> {
    const client = (await this.bus()).connect(this.address, { waitMs: 30_000 });
    return {
      capabilities: CAPABILITIES,
      send: (data: unknown, options?: CallOptions) => client.send(data, options),
      drain: () => client.drain(),
      close: () => client.close(),
      [Symbol.asyncDispose]: () => client.drain(),
    };
  }

  async receiveElsewhere(): Promise<ReceiverProcess> {
    const child = spawn(process.execPath, [programOf("receiver"), this.spool, NAME], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#children.push(child);
    const received: unknown[] = [];
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      lines.on("line", (line) => (line === "ready" ? resolve() : received.push(JSON.parse(line))));
      child.on("exit", (code) => reject(new Error(`the receiver ended with ${code}`)));
    });
    return {
      received,
      kill: async () => {
        const read = once(lines, "close");
        child.kill("SIGKILL");
        await read;
      },
    };
  }

  /** A process of its own from `test/support`. */
  child(program: string, ...args: string[]): ChildProcess {
    const child = spawn(process.execPath, [programOf(program), this.spool, NAME, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#children.push(child);
    return child;
  }

  async intruder(): Promise<Intruder> {
    return {
      send: async (payloads) => {
        const socket = await this.raw();
        socket.write(Buffer.concat(payloads.flatMap((payload) => [Buffer.from("I0 "), payload, Buffer.from("\n")])));
        return payloads.length;
      },
      dieWithin: async (payload) => {
        const socket = await this.raw();
        socket.end(Buffer.concat([Buffer.from("I0 "), payload]));
        return 1;
      },
    };
  }

  /** A connection of a client that keeps to no rules. @param hello what it says first */
  async raw(hello = HELLO): Promise<Socket> {
    const socket = createConnection(this.path);
    this.#sockets.push(socket);
    socket.on("error", () => undefined);
    socket.resume();
    await once(socket, "connect");
    socket.write(hello);
    return socket;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await Promise.all(this.#buses.map((bus) => bus.close()));
    fs.rmSync(this.#parentDir, { recursive: true });
  }
}

/** Runs a test in a place of its own, and leaves nothing behind. */
export async function inArena(run: (arena: SocketArena) => Promise<void>): Promise<void> {
  const arena = await SocketArena.open();
  try {
    await run(arena);
  } finally {
    await arena.close();
  }
}

function programOf(name: string): string {
  return fileURLToPath(new URL(`${name}-process.js`, import.meta.url));
}

export const SOCKET_DRIVER: ChannelDriver = {
  name: "socket",
  capabilities: CAPABILITIES,
  open: () => SocketArena.open(),
};
