import { createSpool, openBus } from "@agentbus/core";
import { TOPIC, type BenchEnvelope } from "../envelope.js";
import type { Transport } from "./transport.js";

/** agentbus with everything at its default, and a subscription that survives its subscriber. */
export const spool: Transport = {
  name: "spool",
  description: "agentbus, durable subscription with a handler, defaults",
  keepsOrder: true,

  async start(dir) {
    await createSpool({ spool: `${dir}/spool` });
    return async () => undefined;
  },

  async receive(dir, onEnvelope) {
    const bus = await openBus({ spool: `${dir}/spool` });
    await bus.subscribe(TOPIC, { durable: "bench" }, ({ envelope }) => onEnvelope(envelope as BenchEnvelope));
    return { close: () => bus.close() };
  },

  async send(dir) {
    const bus = await openBus({ spool: `${dir}/spool` });
    return { send: (payload) => bus.publish(TOPIC, payload), close: () => bus.drain() };
  },
};
