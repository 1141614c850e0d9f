import type { Bar } from "@agentbus/core";
import type { Origin } from "../ledger.js";
import type { GroupSetup } from "../setup.js";

/**
 * What the ledger notes of a spool that was there before setup: limits that are changed ("limit:agents:maxBacklog"; made: it had none), and of
 * any spool who was barred from what ("bar:agents:codebot:pipes"), before agentbus.json said something about it.
 */
export function oldLimits({ name, limits }: GroupSetup, present: Readonly<Record<string, unknown>>): Origin[] {
  return Object.entries(limits).flatMap(([limit, value]): Origin[] => {
    const before = present[limit];
    if (before === value) return [];
    const how =
      typeof before === "number" ? ({ how: "changed", before: String(before) } as const) : ({ how: "made" } as const);
    return [{ key: `${LIMIT}${name}:${limit}`, ...how, set: [String(value)] }];
  });
}

export function oldBar(group: string, { user, channel }: Bar, isBarred: boolean): Origin {
  const [before, now] = isBarred ? [BARRED, FREE] : [FREE, BARRED];
  return { key: `${barPrefix(group, user)}${channel}`, how: "changed", before, set: [now], agent: user };
}

export const LIMIT = "limit:";
export const BARRED = "barred";
const FREE = "free";

export function barPrefix(group: string, user: string): string {
  return `bar:${group}:${user}:`;
}
