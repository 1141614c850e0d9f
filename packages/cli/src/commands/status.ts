import { inspect, openBus, type ConsumerStatus, type SpoolStatus, type SubscriptionStatus } from "@agentbus/core";
import type { Command } from "commander";
import { channelTable } from "../channel-table.js";
import { printLine } from "../output.js";
import { printable, toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { formatTable } from "../table.js";
import { formatDuration } from "../values.js";

const EXAMPLES = `
Columns: WAITING files not yet taken (one may hold several messages), OLDEST how
long the longest has waited, IN WORK taken and not settled, RETRIES waiting for
another attempt, DEAD given up or refused (agentbus dead ls). "?" is what only
its owner may see. Consumers that share a subscription or a queue show only
while they have a message in work. Open pipes and sockets come below.

Examples:
  agentbus status
  agentbus status --json | jq '.subscriptions[] | select(.backlog > 100)'`;

export function statusCommand(program: Command): Command {
  return program
    .command("status")
    .description(
      "Show the subscriptions of a spool, what waits in them and who consumes them, and the open pipes and sockets.",
    )
    .addHelpText("after", EXAMPLES)
    .action((_: unknown, command: Command) => status(command.optsWithGlobals<GlobalOptions>()));
}

async function status({ spool, group, json }: GlobalOptions): Promise<void> {
  let seen = await inspect({ spool, group });
  if (!seen.subscriptions.some(({ label }) => label === `${seen.user}~inbox`)) {
    await takeASeat(seen.path);
    seen = await inspect({ spool: seen.path });
  }
  if (json === true) return printLine(toJson(seen));
  await printLine(headOf(seen));
  await printLine("");
  for (const line of formatTable(HEAD, seen.subscriptions.map(rowOf))) await printLine(line);
  if (seen.channels.length === 0) return;
  await printLine("");
  for (const line of channelTable(seen.channels)) await printLine(line);
}

/** Whoever has looked at a bus once can be written to: opening it makes an inbox. Where that cannot be, looking still can. */
async function takeASeat(spool: string): Promise<void> {
  try {
    await (await openBus({ spool })).close();
  } catch {
    return;
  }
}

function headOf({ path, kind, group, user }: SpoolStatus): string {
  return printable(
    `${path}, ${kind === "group" ? `the spool of group ${group ?? "?"}` : "a personal spool"}; you are ${user}`,
  );
}

const HEAD = ["SUBSCRIPTION", "KIND", "TAKES", "WAITING", "OLDEST", "IN WORK", "RETRIES", "DEAD", "CONSUMER"];

function rowOf(subscription: SubscriptionStatus): (string | number)[] {
  const { label, kind, patterns, address, backlog, maxBacklog, oldestMs, inWork, retries, dead, consumers } =
    subscription;
  const isFull = backlog !== null && backlog >= maxBacklog;
  return [
    printable(label),
    kind,
    printable(address ?? patterns.join(" ")),
    isFull ? `${backlog} full` : (backlog ?? "?"),
    oldestMs === null ? "-" : formatDuration(oldestMs),
    inWork ?? "?",
    retries ?? "?",
    dead ?? "?",
    consumers.length === 0 ? "-" : consumers.map(consumerInWords).join(", "),
  ];
}

function consumerInWords({ user, pid, isAlive }: ConsumerStatus): string {
  return `${printable(user)} ${pid}${isAlive ? "" : " (dead)"}`;
}
