import type { Transport } from "./transport.js";

/** Every transport, loaded only where it is used: an end's process holds nothing of the others. */
const TRANSPORTS = {
  spool: async () => (await import("./spool.js")).spool,
  "raw-socket": async () => (await import("./raw-socket.js")).rawSocket,
  "naive-spool": async () => (await import("./naive-spool.js")).naiveSpool,
} satisfies Record<string, () => Promise<Transport>>;

export type TransportName = keyof typeof TRANSPORTS;

export const TRANSPORT_NAMES = Object.keys(TRANSPORTS) as TransportName[];

export function loadTransport(name: TransportName): Promise<Transport> {
  return TRANSPORTS[name]();
}
