import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { createSpool, openBus, type Bus } from "@agentbus/core";
import type { ChannelArena, Intruder } from "@agentbus/core/conformance";
import { PIPE_CAPABILITIES } from "#pipe/capabilities.js";
import { childReceiver, type ChildReceiver } from "./child-receiver.js";

const MAX_ENVELOPE_BYTES = 4 * 1024 * 1024;
const SLEEPER = 'exec 3>"$1"; cat >&3';

/** A personal spool of this account, and the buses that are open on it. */
export class PipeArena implements ChannelArena {
  readonly maxEnvelopeBytes = MAX_ENVELOPE_BYTES;
  readonly user = userInfo().username;
  readonly uid = userInfo().uid;
  readonly spool: string;
  readonly #parentDir: string;
  readonly #buses: Bus[] = [];
  readonly #children: ChildReceiver[] = [];

  private constructor(parentDir: string) {
    this.#parentDir = parentDir;
    this.spool = `${parentDir}/spool`;
  }

  static async open(): Promise<PipeArena> {
    const arena = new PipeArena(fs.mkdtempSync(`${tmpdir()}/agentbus-pipe-`));
    await createSpool({ spool: arena.spool, env: {} });
    return arena;
  }

  get boxDir(): string {
    return `${this.spool}/pipes/${this.user}`;
  }

  async bus(): Promise<Bus> {
    const bus = await openBus({ spool: this.spool });
    this.#buses.push(bus);
    return bus;
  }

  async receive(options: Parameters<ChannelArena["receive"]>[0] = {}) {
    return (await this.bus()).pipes(options);
  }

  async send(options: Parameters<Bus["pipe"]>[1] = {}) {
    return (await this.bus()).pipe(`@${this.user}`, options);
  }

  async receiveElsewhere(): Promise<ChildReceiver> {
    const child = await childReceiver(this.spool);
    this.#children.push(child);
    return child;
  }

  async intruder(): Promise<Intruder> {
    return {
      send: async (payloads) => {
        await this.write(Buffer.concat(payloads.flatMap((payload) => [payload, Buffer.from("\n")])));
        return payloads.length;
      },
      dieWithin: async (payload) => {
        await this.write(payload);
        return 1;
      },
    };
  }

  /** A FIFO in the drop box, as any program could put it there. */
  makeFifo(
    name = `${"intruder".padEnd(20, "0")}${Math.random().toString(36).slice(2, 10).padEnd(8, "0")}.pipe`,
  ): string {
    const path = `${this.boxDir}/${name}`;
    const { status } = process.getBuiltinModule("node:child_process").spawnSync("mkfifo", ["-m", "0640", path]);
    if (status !== 0) throw new Error(`mkfifo ${path} failed`);
    return path;
  }

  /** Writes bytes into a pipe of its own, from another process, and ends. */
  async write(bytes: Buffer): Promise<void> {
    const child = spawn("sh", ["-c", SLEEPER, "sh", this.makeFifo()], { stdio: ["pipe", "ignore", "inherit"] });
    child.stdin.on("error", () => undefined);
    child.stdin.end(bytes);
    await once(child, "exit");
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.kill()));
    await Promise.all(this.#buses.map((bus) => bus.close()));
    fs.rmSync(this.#parentDir, { recursive: true });
  }
}

export const PIPE_DRIVER = { name: "pipe", capabilities: PIPE_CAPABILITIES, open: () => PipeArena.open() };
