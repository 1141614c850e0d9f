import { spawn, type ChildProcess } from "node:child_process";
import { environmentOf, type Bus, type Message } from "@agentbus/core";
import type { Interruption } from "./interruption.js";
import { say } from "./words.js";

/** How a command ended. */
export interface CommandOutcome {
  readonly isDone: boolean;
  /** Of a failure: "exit 3: <last line of stderr>". */
  readonly failure: string;
  /** What it printed, if that was asked for. */
  readonly output: Buffer;
}

export interface ExecOptions {
  /** Keeps stdout, up to so many bytes, and the last line of stderr; otherwise the command writes to the terminal itself. */
  readonly captureBytes?: number;
}

/** A message that a command is run for, however it came. */
export type ExecMessage = Pick<Message, "id" | "topic" | "sender" | "envelope" | "cause"> &
  Partial<Pick<Message, "subscription" | "attempt">>;

/** Enough of stderr to find its last line in. */
const KEPT_STDERR_BYTES = 8 * 1024;

/**
 * Runs a shell command for each message: the envelope is its stdin, AGENTBUS_* its environment.
 *
 * Each command is a process group of its own, so that a signal reaches everything that it started, and reaches it once.
 */
export class ExecCommand {
  readonly #bus: Bus;
  readonly #command: string;
  readonly #options: ExecOptions;
  readonly #running = new Set<ChildProcess>();
  #isEnding = false;

  constructor(bus: Bus, command: string, options: ExecOptions = {}) {
    this.#bus = bus;
    this.#command = command;
    this.#options = options;
  }

  run(message: ExecMessage): Promise<CommandOutcome> {
    const { captureBytes } = this.#options;
    const isCaptured = captureBytes !== undefined;
    return new Promise((resolve, reject) => {
      const child = spawn("/bin/sh", ["-c", this.#command], {
        detached: true,
        env: { ...process.env, ...environmentFor(this.#bus, message) },
        stdio: ["pipe", isCaptured ? "pipe" : "inherit", isCaptured ? "pipe" : "inherit"],
      });
      this.#running.add(child);
      const output = new Output(captureBytes ?? 0, () => send(child, "SIGKILL"));
      child.stdout?.on("data", (chunk: Buffer) => output.addOutput(chunk));
      child.stderr?.on("data", (chunk: Buffer) => output.addErrors(chunk));
      child.on("error", (error) => {
        this.#running.delete(child);
        reject(error);
      });
      // What a shell started in the background ignores SIGINT (POSIX.1-2024, 2.11), and would outlive us.
      child.on("exit", () => this.#isEnding && send(child, "SIGTERM"));
      child.on("close", (code, signal) => {
        this.#running.delete(child);
        resolve(output.outcome(code, signal));
      });
      // A command that does not read its stdin closes it: not our trouble.
      child.stdin?.on("error", () => undefined);
      child.stdin?.end(`${JSON.stringify(message.envelope)}\n`);
    });
  }

  /**
   * Passes signals on to all that run, and to what they have started; the second one ends them.
   * @param isSilent without a word about those that are waited for
   */
  endWith(interruption: Interruption, isSilent: boolean): void {
    interruption.onFirst((signal) => {
      this.#isEnding = true;
      this.#signal(signal);
      const count = this.#running.size;
      if (count > 0 && !isSilent) say(`waiting for what still runs (${count}); Ctrl-C again ends it`);
    });
    interruption.onSecond(async () => this.#signal("SIGKILL"));
  }

  #signal(signal: NodeJS.Signals): void {
    for (const child of this.#running) send(child, signal);
  }
}

class Output {
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #errors = Buffer.alloc(0);
  #isTooLong = false;

  constructor(
    private readonly maxBytes: number,
    private readonly stop: () => void,
  ) {}

  addOutput(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length <= this.maxBytes) return void this.#chunks.push(chunk);
    this.#isTooLong = true;
    this.stop();
  }

  addErrors(chunk: Buffer): void {
    process.stderr.write(chunk);
    this.#errors = Buffer.concat([this.#errors, chunk]).subarray(-KEPT_STDERR_BYTES);
  }

  outcome(code: number | null, signal: NodeJS.Signals | null): CommandOutcome {
    const lastLine = this.#errors.toString("utf8").trimEnd().split("\n").at(-1) ?? "";
    const how = this.#isTooLong
      ? `it printed more than ${this.maxBytes} bytes`
      : signal === null
        ? `exit ${code ?? 1}`
        : `ended by ${signal}`;
    const failure = lastLine === "" ? how : `${how}: ${lastLine}`;
    return { isDone: code === 0 && !this.#isTooLong, failure, output: Buffer.concat(this.#chunks) };
  }
}

/** To the whole group; ESRCH: it has ended meanwhile. */
function send({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    return;
  }
}

/** Only what cannot hold anything but plain text, since a shell may do anything with it. */
function environmentFor(bus: Bus, message: ExecMessage): Record<string, string> {
  return {
    ...environmentOf(message.cause),
    AGENTBUS_SPOOL: bus.spool.path,
    AGENTBUS_ID: message.id,
    AGENTBUS_TOPIC: message.topic,
    AGENTBUS_SENDER: message.sender.user,
    AGENTBUS_SENDER_UID: String(message.sender.uid),
    ...(message.subscription === undefined ? {} : { AGENTBUS_SUBSCRIPTION: message.subscription }),
    ...(message.attempt === undefined ? {} : { AGENTBUS_ATTEMPT: String(message.attempt) }),
  };
}
