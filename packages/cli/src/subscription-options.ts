import type { Bus, SubscribeOptions } from "@agentbus/core";
import type { Command } from "commander";
import { UsageError } from "./failure.js";
import type { EndOptions } from "./end.js";
import { parseDuration, parseWhole } from "./values.js";

/** What `subscribe` and `respond` have in common. */
export interface SubscriptionCommandOptions extends EndOptions {
  readonly durable?: string;
  readonly shared?: boolean;
  readonly queue?: string;
  readonly concurrency?: number;
  readonly maxAttempts?: number;
}

export function addSubscriptionOptions(command: Command): Command {
  return command
    .option("--durable <name>", "keep the subscription, and what it receives, while this does not run")
    .option("--shared", "with --durable: several processes may share its messages")
    .option("--queue <name>", "share the messages with other accounts: each goes to one of all that name this queue")
    .option(
      "--concurrency <n>",
      "run so many commands at a time; 1 unless you say, which keeps the order",
      parseWhole(1, 1_000),
    )
    .option(
      "--max-attempts <n>",
      "deliveries of one message before it is given up; 5 unless you say",
      parseWhole(1, 1_000),
    )
    .option("--count <n>", "end after so many messages", parseWhole(1, 1_000_000_000))
    .option("--timeout <duration>", "end after this long, with exit code 124: 500ms, 30s, 10m", parseDuration);
}

export function subscribeOptionsOf(options: SubscriptionCommandOptions): SubscribeOptions {
  const { durable, shared, queue, concurrency, maxAttempts } = options;
  if (shared === true && durable === undefined) throw new UsageError("--shared goes with --durable NAME");
  if (durable !== undefined && queue !== undefined) throw new UsageError("--durable and --queue exclude each other");
  return { durable, shared, queue, concurrency, maxAttempts };
}

/** `@me` stands for one's own inbox, which is the only one that can be read. */
export function patternsOf(bus: Bus, patterns: readonly string[]): string[] {
  return patterns.map((pattern) => (pattern === "@me" ? `@${bus.user}` : pattern));
}
