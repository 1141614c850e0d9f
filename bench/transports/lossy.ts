import { rawSocket } from "./raw-socket.js";
import type { Transport } from "./transport.js";

/** Every so many-eth message is not sent. */
const LOST_EVERY = 10;

/** The raw socket with a hole in it: a bench that calls this clean checks nothing. */
export const lossy: Transport = {
  ...rawSocket,
  name: "lossy",
  description: `the raw socket, where every ${LOST_EVERY}th message is lost on purpose`,

  async send(place) {
    const sender = await rawSocket.send(place);
    return {
      ...sender,
      send: (payload) => (Number(payload.serial) % LOST_EVERY === 0 ? undefined : sender.send(payload)),
    };
  },
};
