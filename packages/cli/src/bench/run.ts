import { createSpool, openBus } from "@agentbus/core";
import { EndProcess } from "./end-process.js";
import { Lane } from "./lane.js";
import type { Leftovers } from "./leftovers.js";
import { measure, type Measurements, type Report } from "./measure.js";
import { payloadsOf } from "./payload.js";
import type { Plan } from "./plan.js";
import { ECHO_TOPIC, spoolDirIn } from "./receivers.js";
import { socketSender, spoolSender } from "./senders.js";

/** Measures in an empty directory, with the receiving ends in processes of their own. @throws what went wrong in any of them */
export async function runBench(plan: Plan, dir: string, leftovers: Leftovers, report: Report): Promise<Measurements> {
  report("starting");
  // Nobody's but this run's, whatever spool the environment names.
  await createSpool({ spool: spoolDirIn(dir), env: {} });
  const [spoolEnd, socketEnd] = await Promise.all([
    EndProcess.start("spool", dir, leftovers),
    EndProcess.start("socket", dir, leftovers),
  ]);
  // What is published here follows from no message, even in a command that one has started.
  delete process.env["AGENTBUS_CAUSE"];
  const bus = await openBus({ spool: spoolDirIn(dir) });
  try {
    const payloadOf = payloadsOf(plan.envelopeBytes, bus.user);
    const ways = {
      spool: new Lane(spoolSender(bus), spoolEnd, payloadOf),
      socket: new Lane(await socketSender(dir, bus.user), socketEnd, payloadOf),
      // Without a responder there is no answer to wait for.
      request: () => bus.request(ECHO_TOPIC, payloadOf(1), { signal: spoolEnd.failed }),
    };
    return await measure(plan, ways, report);
  } finally {
    await bus.close();
  }
}
