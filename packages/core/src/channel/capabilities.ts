import type { ChannelCapabilities } from "./channel.js";

/** What the spool promises as a channel. */
export const SPOOL_CAPABILITIES: ChannelCapabilities = Object.freeze({
  durable: true,
  backpressure: false,
  bidirectional: false,
  identity: "inode",
});
