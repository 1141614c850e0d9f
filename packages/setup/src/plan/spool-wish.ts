import { CHANNEL_KINDS, type Bar, type ChannelKind } from "@agentbus/core";
import type { GroupSetup, Setup } from "../setup.js";

/** What agentbus.json wants of one spool. */
export interface SpoolWish {
  readonly group: GroupSetup;
  /** Its agents that may use no sockets, or no pipes. */
  readonly barred: readonly Bar[];
  /** Its agents that may. Of other accounts nothing is said, and nothing changed. */
  readonly free: readonly Bar[];
}

export function spoolWish({ agents }: Setup, group: GroupSetup): SpoolWish {
  const members = agents.filter(({ groups }) => groups.includes(group.name));
  const bars = (isAllowed: boolean) =>
    members.flatMap(({ name, channels }) =>
      CHANNEL_KINDS.filter((channel) => channels[channel] === isAllowed).map((channel) => ({ user: name, channel })),
    );
  return { group, barred: bars(false), free: bars(true) };
}

/** The accounts among bars of one kind. */
export function barsAmong(bars: readonly Bar[], kind: ChannelKind): string[] {
  return bars.flatMap(({ user, channel }) => (channel === kind ? [user] : []));
}
