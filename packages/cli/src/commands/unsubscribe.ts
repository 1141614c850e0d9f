import { inspect, openBus } from "@agentbus/core";
import type { Command } from "commander";
import { printLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";

const EXAMPLES = `
Example:
  agentbus unsubscribe ci`;

export function unsubscribeCommand(program: Command): Command {
  return program
    .command("unsubscribe")
    .description("Remove a durable subscription of yours, with everything that waits in it.")
    .argument("<name>", "as in: agentbus subscribe --durable NAME")
    .addHelpText("after", EXAMPLES)
    .action((name: string, _: unknown, command: Command) =>
      unsubscribe(name, command.optsWithGlobals<GlobalOptions>()),
    );
}

async function unsubscribe(name: string, { spool, group, json }: GlobalOptions): Promise<void> {
  const bus = await openBus({ spool, group });
  try {
    // `status` shows it as "alice~ci".
    const prefix = `${bus.user}~`;
    const plain = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    const label = prefix + plain;
    const status = (await inspect({ spool: bus.spool.path })).subscriptions.find((each) => each.label === label);
    await bus.unsubscribe(plain);
    const waiting = (status?.backlog ?? 0) + (status?.inWork ?? 0) + (status?.retries ?? 0);
    const dead = status?.dead ?? 0;
    if (json === true) return await printLine(toJson({ subscription: label, waiting, dead }));
    say(`removed ${label}${waiting + dead > 0 ? `, with ${waiting} waiting and ${dead} dead messages` : ""}`);
  } finally {
    await bus.close();
  }
}
