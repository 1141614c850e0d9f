import type { ChannelCapabilities } from "@agentbus/core";

export const PIPE_CAPABILITIES: ChannelCapabilities = Object.freeze({
  durable: false,
  backpressure: true,
  bidirectional: false,
  identity: "inode",
});

/** `run/<user>/pipes/` tells senders which process receives. */
export const SERVICE = "pipes";

/** As long as 130 random bits are, so that who cannot list the drop box cannot guess a pipe and read it. */
export const NAME_LENGTH = 26;
export const NAME_SUFFIX = ".pipe";
