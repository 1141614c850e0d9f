import { runEnd } from "./end.js";
import { payloadsOf } from "../envelope.js";
import { paced } from "./pacing.js";
import { loadTransport } from "../transports/index.js";

/** The publishing end: a process of its own, started by the bench. */
await runEnd(async ({ transport, dir, envelopeBytes, perSecond, warmUp, count }, bench) => {
  const sender = await (await loadTransport(transport)).send(dir);
  const payloadOf = payloadsOf(envelopeBytes);
  const failures: unknown[] = [];
  await paced(warmUp + count, perSecond, (serial) => {
    const accepted = sender.send(payloadOf(serial));
    accepted?.catch((error: unknown) => failures.push(error));
  });
  await sender.close();
  if (failures.length > 0) throw failures[0];
  bench.tell({ kind: "sent" });
});
