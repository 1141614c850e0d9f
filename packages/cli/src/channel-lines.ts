import { inspect, type ChannelStatus } from "@agentbus/core";
import { setTimeout as delay } from "node:timers/promises";
import type { End } from "./end.js";
import { writeLine } from "./output.js";
import { printable, toJson } from "./printable.js";
import type { GlobalOptions } from "./program.js";

/** Between two looks, in milliseconds: the processes themselves say more only every two seconds. */
const LOOK_MS = 500;

/**
 * Follows the open pipes and sockets: a line when one opens, closes, or carries something. What goes through them nobody else can see.
 */
export async function followChannels({ spool, group, json }: GlobalOptions, end: End): Promise<void> {
  let before = new Map<string, ChannelStatus>();
  while (!end.signal.aborted) {
    const { channels } = await inspect({ spool, group });
    const now = new Map(channels.map((channel, i) => [keyOf(channel, i, channels), channel]));
    for (const [key, channel] of now) {
      const last = before.get(key);
      if (last === undefined) await tell("opened", channel, end, json);
      else if (last.messages !== channel.messages || last.refused !== channel.refused)
        await tell("carries", channel, end, json);
    }
    for (const [key, channel] of before) if (!now.has(key)) await tell("closed", channel, end, json);
    before = now;
    await delay(LOOK_MS, undefined, { signal: end.signal }).catch(() => undefined);
  }
}

type Event = "opened" | "carries" | "closed";

async function tell(event: Event, channel: ChannelStatus, end: End, json: boolean | undefined): Promise<void> {
  if (!(await end.begin())) return;
  await writeLine(json === true ? toJson({ event, ...channel }) : inWords(event, channel));
  end.finish(true);
}

function inWords(event: Event, channel: ChannelStatus): string {
  const { kind, role, user, pid, peer, name, messages, messagesPerSecond, bytesPerSecond, refused } = channel;
  const what = `${kind}${name === undefined ? "" : ` ${name}`}  ${user} ${pid} (${role})${peer === null ? "" : ` with ${peer}`}`;
  const figures = `${messages} messages, ${messagesPerSecond}/s, ${Math.round(bytesPerSecond)} bytes/s`;
  const bad = refused === 0 ? "" : `, ${refused} refused`;
  return printable(`${event.padEnd(7)}  ${what}${event === "opened" ? "" : `  ${figures}${bad}`}`);
}

/** Several ends may look alike: a process may have two pipes to the same agent, opened in the same millisecond. */
function keyOf(channel: ChannelStatus, i: number, all: readonly ChannelStatus[]): string {
  const alike = (other: ChannelStatus) => placeOf(other) === placeOf(channel);
  return `${placeOf(channel)} ${all.slice(0, i).filter(alike).length}`;
}

function placeOf({ user, pid, kind, role, name, peer, openedAt }: ChannelStatus): string {
  return [user, pid, kind, role, name, peer, openedAt].join(" ");
}
