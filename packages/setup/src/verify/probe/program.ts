import { isBusError } from "@agentbus/core";
import { become, type Identity } from "../../system/become.js";
import { endLentProcess } from "./processes.js";
import { rehearseBus, rehearseChannels } from "../../system/rehearse-bus.js";
import { tasks } from "./tasks.js";

export interface Question {
  readonly id: number;
  readonly task: keyof typeof tasks;
  readonly args: readonly unknown[];
}

export interface Reply {
  readonly id: number;
  readonly result?: unknown;
  /** What the task threw. */
  readonly failure?: {
    readonly message: string;
    readonly fix?: string | undefined;
    readonly code?: string | undefined;
  };
}

/**
 * Makes this process one that tries, as an account, what that account should be able to do and what not, for the parent to which it has
 * a channel (child_process, "ipc"). It ends when the parent lets go of that.
 *
 * It begins as root, loads all of its code, becomes the account for good, and does the tasks that it is sent. So neither this package nor Node
 * need be readable for the account, and its PATH and shell files have no part in it.
 */
export async function runProbe(identity: Identity): Promise<void> {
  const released = new Promise((resolve) => process.once("disconnect", resolve));
  try {
    await rehearseBus();
    await rehearseChannels();
    become(identity);
    process.on("message", (question: Question) => void answer(question));
    reply({ id: 0, result: process.pid });
  } catch (error) {
    reply({ id: 0, failure: failureOf(error) });
  }
  await released;
  endLentProcess();
  process.exit();
}

async function answer({ id, task, args }: Question): Promise<void> {
  try {
    const run = tasks[task] as (...args: readonly unknown[]) => unknown;
    reply({ id, result: (await run(...args)) ?? null });
  } catch (error) {
    reply({ id, failure: failureOf(error) });
  }
}

function failureOf(error: unknown): NonNullable<Reply["failure"]> {
  return { message: (error as Error).message, ...(isBusError(error) ? { fix: error.fix, code: error.code } : {}) };
}

function reply(message: Reply): void {
  process.send?.(message);
}
