import { createSpool, openBus, type Bus } from "@agentbus/core";
import { TOPIC, type BenchEnvelope, type Payload } from "../envelope.js";
import { NOTHING_STARTED, type Place, type Transport } from "./transport.js";

/** Where requests go: not to the subscriptions of the other scenarios. */
const QUESTIONS = "bench.questions";

/** agentbus with everything at its default, and subscriptions that survive their subscribers. */
export const spool: Transport = {
  name: "spool",
  description: "agentbus, durable subscription with a handler, defaults; on the disk: sync full",
  durability: "process",
  keepsOrder: true,
  acknowledges: true,
  fansOut: true,
  reachesDisk: true,

  missing: async () => undefined,

  async start({ dir, group }) {
    await createSpool({ spool: `${dir}/spool`, group, env: {} });
    return NOTHING_STARTED;
  },

  // A bus of its own for each, as the agents would have that these subscriptions stand for.
  async receive(place, onEnvelope, subscription) {
    const bus = await open(place);
    await bus.subscribe(TOPIC, { durable: `bench-${subscription}` }, ({ envelope }) =>
      onEnvelope(envelope as BenchEnvelope),
    );
    return { close: () => bus.close() };
  },

  async send(place) {
    const bus = await open(place);
    return { send: (payload) => bus.publish(TOPIC, payload), close: () => bus.drain() };
  },

  async respond(place) {
    const bus = await open(place);
    await bus.respond(QUESTIONS, ({ data }) => data);
    return { close: () => bus.close() };
  },

  async request(place) {
    const bus = await open(place);
    return {
      request: async (payload) => (await bus.request<Payload>(QUESTIONS, payload)).data,
      close: () => bus.close(),
    };
  },
};

function open({ dir, isDurable }: Place): Promise<Bus> {
  return openBus({ spool: `${dir}/spool`, sync: isDurable ? "full" : "none" });
}
