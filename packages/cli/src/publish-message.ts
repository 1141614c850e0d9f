import { openBus, type PublishOptions, type PublishResult } from "@agentbus/core";
import { UsageError } from "./failure.js";
import { Interruption } from "./interruption.js";
import { readData, type DataOptions } from "./message-data.js";
import { printLine } from "./output.js";
import { toJson } from "./printable.js";
import type { GlobalOptions } from "./program.js";
import { say } from "./words.js";

/** What `agentbus publish` understands, read. */
export interface PublishCommandOptions extends GlobalOptions, DataOptions {
  readonly to?: string;
  readonly lines?: boolean;
  readonly sync?: "none" | "data" | "full";
  readonly priority?: number;
  readonly expires?: number;
  readonly id?: string;
  readonly type?: string;
  readonly subject?: string;
  readonly correlation?: string;
  readonly mandatory?: boolean;
  readonly onFull?: "error" | "wait" | "drop";
  readonly receipt?: boolean;
  readonly timeout?: number;
}

/**
 * Publishes what one command line says, and tells on stdout and stderr what became of it. Nothing here may load commander: most
 * calls do without.
 * @param argument the data, as it was written @throws UsageError, Interrupted, and as `openBus` and `bus.publish`
 */
export async function publishMessage(
  topic: string,
  argument: string | undefined,
  options: PublishCommandOptions,
): Promise<void> {
  const destination = destinationOf(topic, options);
  if (options.lines === true) {
    if (argument !== undefined && argument !== "-") throw new UsageError("--lines takes its data from stdin");
    if (options.receipt === true || options.id !== undefined)
      throw new UsageError("--lines goes with neither --receipt nor --id");
  }
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  const publishing = { ...publishingOf(options, destination), signal: interruption.signal };
  try {
    if (options.lines === true) {
      const { publishLines } = await import("./publish-lines.js");
      return await publishLines(bus, destination.target, options, publishing);
    }
    const { data, ...kind } = await readData(argument, options, {
      example: `agentbus publish ${topic}`,
      maxBytes: bus.spool.limits.maxEnvelopeBytes,
      signal: interruption.signal,
    });
    const result = await bus.publish(destination.target, data, { ...publishing, ...kind });
    await report(result, options);
    await waitForReceipt(result, options, interruption.signal);
  } finally {
    interruption.close();
    await bus.close();
  }
}

/** Where a message goes: to a topic, or to an address with a topic that says what it is about. */
interface Destination {
  readonly target: string;
  readonly topic: string | undefined;
}

function destinationOf(topic: string, { to }: PublishCommandOptions): Destination {
  if (to === undefined) return { target: topic, topic: undefined };
  if (topic.startsWith("@"))
    throw new UsageError("with --to, the first argument is a topic", `agentbus publish ${topic} DATA`);
  return { target: to.startsWith("@") ? to : `@${to}`, topic };
}

function publishingOf(options: PublishCommandOptions, { topic }: Destination): PublishOptions {
  const { id, type, subject, priority, expires, correlation, mandatory, sync, onFull, receipt, timeout } = options;
  return {
    ...{ topic, id, type, subject, priority, mandatory, sync, onFull, receipt },
    ...{ expiresInMs: expires, correlationId: correlation, timeoutMs: timeout },
  };
}

async function report(
  { id, topic, subscriptions, full }: PublishResult,
  { json }: PublishCommandOptions,
): Promise<void> {
  if (json === true) return printLine(toJson({ id, topic, subscriptions, ...(full.length > 0 ? { full } : {}) }));
  say(
    subscriptions.length === 0
      ? `nobody is subscribed to ${topic}: nothing is stored`
      : `stored by ${subscriptions.join(", ")}`,
  );
  if (full.length > 0) say(`not by ${full.join(", ")}, which hold all they may`);
  await printLine(id);
}

async function waitForReceipt(
  { receipt }: PublishResult,
  { timeout, json }: PublishCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  if (receipt === undefined) return;
  try {
    await receipt.acked({ timeoutMs: timeout, signal });
    if (json !== true) say("acknowledged by all");
  } finally {
    receipt.close();
  }
}
