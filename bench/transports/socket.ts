import { createSpool, openBus, type Bus } from "@agentbus/core";
import type { BenchEnvelope, Payload } from "../envelope.js";
import { NOTHING_STARTED, type Place, type Transport } from "./transport.js";

const NAME = "bench";

/** The socket channel of agentbus, with everything at its default: each connection verified on both sides, each envelope checked. */
export const socket: Transport = {
  name: "socket",
  description: "agentbus, bus.serve with a handler and bus.connect, defaults; peers verified by the kernel",
  durability: "nothing",
  keepsOrder: true,
  acknowledges: false,
  fansOut: false,
  reachesDisk: false,

  missing: async () => undefined,

  async start({ dir, group }) {
    await createSpool({ spool: `${dir}/spool`, group, env: {} });
    return NOTHING_STARTED;
  },

  async receive(place, onEnvelope) {
    const bus = await open(place);
    await bus.serve(NAME, ({ envelope }) => onEnvelope(envelope as BenchEnvelope));
    return { close: () => bus.close() };
  },

  async send(place) {
    const bus = await open(place);
    const client = await bus.connect(`@${bus.user}/${NAME}`);
    return { send: (payload) => client.send(payload), close: () => bus.drain() };
  },

  async respond(place) {
    const bus = await open(place);
    await bus.serve(NAME, ({ data }) => data);
    return { close: () => bus.close() };
  },

  async request(place) {
    const bus = await open(place);
    const client = await bus.connect(`@${bus.user}/${NAME}`);
    return { request: async (payload) => (await client.call<Payload>(payload)).data, close: () => bus.close() };
  },
};

function open({ dir }: Place): Promise<Bus> {
  return openBus({ spool: `${dir}/spool` });
}
