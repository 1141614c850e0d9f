import { setTimeout as delay } from "node:timers/promises";
import { runEnd } from "./end.js";
import { payloadsOf } from "../envelope.js";
import { paced } from "./pacing.js";
import { loadTransport } from "../transports/index.js";

/** How many times faster than what is measured: what matters is how often code has run, and nobody likes to wait. */
const WARM_UP_SPEED = 2;
/** Whatever has piled up while it warmed up is gone before the measuring starts, in milliseconds. */
const PAUSE_MS = 200;

/** The publishing end: a process of its own, started by the bench. */
await runEnd(async ({ transport, dir, envelopeBytes, perSecond, warmUp, count }, bench) => {
  const sender = await (await loadTransport(transport)).send(dir);
  const payloadOf = payloadsOf(envelopeBytes);
  const failures: unknown[] = [];
  let serial = 0;
  const sendNext = () => {
    const accepted = sender.send(payloadOf(++serial));
    accepted?.catch((error: unknown) => failures.push(error));
  };
  await paced(warmUp, perSecond * WARM_UP_SPEED, sendNext);
  await delay(PAUSE_MS);
  await paced(count, perSecond, sendNext);
  await sender.close();
  if (failures.length > 0) throw failures[0];
  bench.tell({ kind: "sent" });
});
