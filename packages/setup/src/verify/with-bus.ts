import { randomBytes } from "node:crypto";
import type { AgentSetup, HumanSetup } from "../setup.js";
import { TaskFailed } from "./account-probe.js";
import type { Examination, Probed } from "./examination.js";
import type { Trouble } from "./finding.js";
import { applyCommand } from "./mend.js";
import { reviveSpool } from "./revive-spool.js";

export type Member = Probed<AgentSetup | HumanSetup>;

/** A member of a spool that has subscribed to a topic of this trial alone. */
export interface SeatedMember {
  readonly member: Member;
  /** The drop box of its subscription. */
  readonly dropBox: string;
}

export function membersOf(group: string, { agents, humans }: Examination): Member[] {
  return [...agents, ...humans].filter(({ wish }) => wish.groups.includes(group));
}

/**
 * Seats members on the bus of a group, lets something be tried there, and takes away what they made for it. Who cannot sit down is
 * told among the troubles: an error where the bus is what is tried, else a warning that something was not.
 */
export async function withBus(
  group: string,
  examination: Examination,
  members: readonly Member[],
  attempt: (seats: readonly SeatedMember[], topic: string, token: string) => Promise<Trouble[]>,
  absence: "error" | "warning" = "warning",
): Promise<Trouble[]> {
  const token = randomBytes(8).toString("hex");
  const topic = `agentbus-verify.${token}`;
  const troubles: Trouble[] = [];
  const seats: SeatedMember[] = [];
  try {
    for (const member of members) {
      try {
        seats.push({ member, dropBox: `${await member.probe.run("joinBus", group, topic)}/new` });
      } catch (error) {
        if (!(error instanceof TaskFailed)) throw error;
        troubles.push({ severity: absence, ...cannotJoin(member, group, error, examination) });
      }
    }
    return [...troubles, ...(await attempt(seats, topic, token))];
  } finally {
    for (const { member } of seats) await member.probe.run("leaveBus", group).catch(() => undefined);
  }
}

function cannotJoin(
  { name }: Member,
  group: string,
  { message, fix, code = "" }: TaskFailed,
  { setup, machine }: Examination,
): Omit<Trouble, "severity"> {
  // What the bus says to the member, who is not root.
  const own = fix ?? `agentbus doctor --group ${group}`;
  const mend =
    code === "ERR_ACCESS" ? applyCommand(setup) : UNUSABLE.has(code) ? reviveSpool(group, setup, machine) : own;
  return { agent: name, message: `${name} cannot use the bus of ${group}`, evidence: message, fix: mend ?? own };
}

const UNUSABLE: ReadonlySet<string> = new Set(["ERR_SPOOL_NOT_FOUND", "ERR_SPOOL_UNTRUSTED", "ERR_SPOOL_LAYOUT"]);
