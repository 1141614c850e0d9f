import { FLOOR_NAMES } from "../floor/contestants.js";
import { isTransportName } from "../transports/index.js";
import { ACCOUNTS } from "./accounts.js";
import { BACKLOG_NAMES, BACKLOG_SCENARIOS } from "./backlog.js";
import { COMMAND, COMMAND_NAMES } from "./command.js";
import { IDLE } from "./idle.js";
import { LATENCY_SCENARIOS } from "./latency.js";
import { REQUEST_SCENARIOS } from "./request.js";
import type { Scenario } from "./scenario.js";
import { AWAITED, DURABLE, FAN_OUT_SCENARIOS, THROUGHPUT } from "./throughput.js";

/** All that is measured, in the order in which it is. */
export const SCENARIOS: readonly Scenario[] = [
  ...LATENCY_SCENARIOS,
  ACCOUNTS,
  THROUGHPUT,
  AWAITED,
  ...FAN_OUT_SCENARIOS,
  ...REQUEST_SCENARIOS,
  DURABLE,
  ...BACKLOG_SCENARIOS,
  IDLE,
  COMMAND,
];

/** @param words ids, families, or "all" @throws TypeError for a word that is none of them */
export function scenariosOf(words: readonly string[]): Scenario[] {
  for (const word of words) {
    if (word !== "all" && !SCENARIOS.some(({ id, family }) => word === id || word === family)) {
      throw new TypeError(`there is no scenario "${word}"`);
    }
  }
  return SCENARIOS.filter(({ id, family }) => ["all", id, family].some((word) => words.includes(word)));
}

/** Whether somebody of this name takes part in anything. */
export function isContestantName(name: string): boolean {
  return isTransportName(name) || [...FLOOR_NAMES, ...BACKLOG_NAMES, ...COMMAND_NAMES].includes(name);
}
