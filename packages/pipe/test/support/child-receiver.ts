import { spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("receiver-process.js", import.meta.url));

export interface ChildReceiver {
  readonly pid: number;
  readonly received: unknown[];
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** SIGSTOP and SIGCONT do not end it. */
  signal(signal: NodeJS.Signals): void;
}

/** A process that receives pipes from this moment on. */
export async function childReceiver(spool: string, options: SpawnOptions = {}): Promise<ChildReceiver> {
  const child = spawn(process.execPath, [PROGRAM, spool], { ...options, stdio: ["ignore", "pipe", "inherit"] });
  const received: unknown[] = [];
  const exited = once(child, "exit");
  let isKilled = false;
  if (child.stdout === null) throw new Error("no stdout");
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    lines.on("line", (line) => {
      if (line === "ready") resolve();
      else if (!isKilled || isWhole(line)) received.push(JSON.parse(line));
    });
    child.on("exit", (code) => reject(new Error(`the receiver ended with ${code}`)));
    child.on("error", reject);
  });
  return {
    pid: child.pid ?? 0,
    received,
    signal: (signal) => void child.kill(signal),
    kill: async (signal = "SIGKILL") => {
      isKilled = true;
      child.kill(signal);
      await exited;
      // What it has printed is read to its end.
      if (!lines.terminal) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** Whoever is killed may have printed half a line. */
function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
