import type { Assignment } from "./assignment.js";
import { runEnd } from "./end.js";
import { Inbox } from "./inbox.js";
import { untilQuiet } from "./serials.js";
import { loadTransport } from "../transports/index.js";
import type { End } from "../transports/transport.js";

/** The subscribing end, with one subscription or with many: a process of its own, started by the bench. */
await runEnd<Assignment>(async (assignment, bench) => {
  const transport = await loadTransport(assignment.transport);
  const inbox = new Inbox(assignment);
  const receivers: End[] = [];
  for (let subscription = 0; subscription < assignment.subscribers; subscription++) {
    receivers.push(await transport.receive(assignment, inbox.listener(subscription), subscription));
  }
  bench.tell({ kind: "ready" });
  for (let order = await bench.hear(); order.kind === "settle"; order = await bench.hear()) {
    await untilQuiet(inbox.checks, order.upTo);
    bench.tell({ kind: "settled" });
  }
  const result = inbox.result();
  await Promise.all(receivers.map((receiver) => receiver.close()));
  bench.tell({ kind: "arrived", ...result });
});
