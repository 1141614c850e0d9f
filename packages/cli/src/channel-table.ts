import type { ChannelStatus } from "@agentbus/core";
import { printable } from "./printable.js";
import { formatTable } from "./table.js";

const HEAD = ["CHANNEL", "END", "OF", "WITH", "MESSAGES", "PER SECOND", "BYTES PER SECOND", "REFUSED"];

/** The open pipes and sockets, for people. */
export function channelTable(channels: readonly ChannelStatus[]): string[] {
  return formatTable(HEAD, channels.map(rowOf));
}

function rowOf(channel: ChannelStatus): (string | number)[] {
  const { kind, role, user, pid, peer, name, messages, messagesPerSecond, bytesPerSecond, refused } = channel;
  return [
    name === undefined ? kind : `${kind} ${printable(name)}`,
    role,
    `${printable(user)} ${pid}`,
    peer === null ? "-" : printable(peer),
    messages,
    messagesPerSecond,
    Math.round(bytesPerSecond),
    refused,
  ];
}
