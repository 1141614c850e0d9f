import type { Machine } from "../machine.js";
import type { PlannedAgent } from "./planning.js";

/** What is done in a home is done as its agent: a link that it plants there leads it, and never root, elsewhere, and what it lets wait does not wait for long. */
export const AGENT_TIMEOUT_MS = 20_000;

/** A shell script and its arguments; in it `$HOME` is the home, which is entered first. */
export function script(lines: readonly string[], ...args: readonly string[]): string[] {
  return ["sh", "-c", ["set -eu", "umask 077", 'cd "$HOME"', ...lines].join("\n"), "sh", ...args];
}

/** Whether a script ends with 0 as the agent; false where it cannot be tried, because there is no such account yet or no root to try. */
export async function succeeds(machine: Machine, name: string, argv: readonly string[]): Promise<boolean> {
  const account = machine.access === "root" ? await machine.user(name) : undefined;
  if (account === undefined) return false;
  return (await machine.run(argv, { as: account, timeoutMs: AGENT_TIMEOUT_MS })).status === 0;
}

export const UNSEEN = "only root can see whether this is so already; apply does it only if not";

/** Whether this step may turn out not to be needed. */
export function isUnseen({ remarks }: { readonly remarks?: readonly string[] }): boolean {
  return remarks?.includes(UNSEEN) === true;
}

/** What a plan that was made without root has to say about a home that it cannot look into. */
export function unseen(machine: Machine, { exists }: PlannedAgent): { remarks?: readonly string[] } {
  return machine.access === "unprivileged" && exists ? { remarks: [UNSEEN] } : {};
}
