import { createSpool, openBus, type Bus } from "@agentbus/core";
import type { BenchEnvelope } from "../envelope.js";
import { NOTHING_STARTED, type Place, type Transport } from "./transport.js";

/** The pipe channel of agentbus, with everything at its default: owners verified, each envelope checked. */
export const pipe: Transport = {
  name: "pipe",
  description:
    "agentbus, bus.pipe and bus.pipes with a handler, defaults; sender verified, accepted when it is in the pipe",
  durability: "nothing",
  keepsOrder: true,
  acknowledges: true,
  fansOut: false,
  reachesDisk: false,

  missing: async () => undefined,

  async start({ dir, group }) {
    await createSpool({ spool: `${dir}/spool`, group, env: {} });
    return NOTHING_STARTED;
  },

  async receive(place, onEnvelope) {
    const bus = await open(place);
    await bus.pipes(({ envelope }) => onEnvelope(envelope as BenchEnvelope));
    return { close: () => bus.close() };
  },

  async send(place) {
    const bus = await open(place);
    const end = await bus.pipe(`@${bus.user}`);
    return { send: (payload) => end.send(payload), close: () => bus.drain() };
  },
};

function open({ dir }: Place): Promise<Bus> {
  return openBus({ spool: `${dir}/spool` });
}
