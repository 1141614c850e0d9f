import type { ChannelCapabilities } from "@agentbus/core";

/** What every socket declares. */
export const CAPABILITIES: ChannelCapabilities = Object.freeze({
  durable: false,
  backpressure: true,
  bidirectional: true,
  identity: "credentials",
});
