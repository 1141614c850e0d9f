import { setTimeout as delay } from "node:timers/promises";
import { runEnd } from "./end.js";
import { sizeOf } from "../envelope.js";
import { SerialCheck } from "./serials.js";
import { loadTransport } from "../transports/index.js";

/** After the publisher is done, what has not arrived for so long is lost, in milliseconds. */
const LOST_AFTER_MS = 5_000;

/** The subscribing end: a process of its own, started by the bench. */
await runEnd(async ({ transport, dir, envelopeBytes, warmUp, count }, bench) => {
  const check = new SerialCheck(warmUp + count);
  const latenciesNs = new Float64Array(count);
  let wrongSize: number | undefined;
  const receiver = await (
    await loadTransport(transport)
  ).receive(dir, (envelope) => {
    const now = process.hrtime.bigint();
    const serial = Number(envelope.data.serial);
    if (check.arrived(serial) && serial > warmUp) {
      latenciesNs[serial - warmUp - 1] = Number(now - BigInt(envelope.data.sentNs));
    } else if (serial === 1 && sizeOf(envelope) !== envelopeBytes) wrongSize = sizeOf(envelope);
  });
  bench.tell({ kind: "ready" });
  await bench.heard();
  for (const deadline = performance.now() + LOST_AFTER_MS; !check.isComplete && performance.now() < deadline;) {
    await delay(10);
  }
  await receiver.close();
  if (wrongSize !== undefined) throw new Error(`the envelope has ${wrongSize} bytes instead of ${envelopeBytes}`);
  bench.tell({ kind: "arrived", latenciesNs, losses: check.losses });
});
