import { shellQuote } from "@agentbus/core";
import type { Trouble } from "./finding.js";
import { asAccount } from "./mend.js";
import type { Attempt } from "./probe/attempt.js";

const MAX_NAMED = 4;

/** Those attempts that should have been refused. */
export function allowedOf(attempts: readonly Attempt[]): Attempt[] {
  return attempts.filter(({ outcome }) => outcome === "allowed");
}

/**
 * An attempt that failed for another reason than a refusal proves nothing, and must not look as if it did.
 * @param fix @default what shows the same to a person
 */
export function untriedOf(attempts: readonly Attempt[], agent: string, fix?: string): Trouble[] {
  const untried = attempts.filter(({ outcome }) => outcome === "untried");
  if (untried.length === 0) return [];
  const evidence = untried.slice(0, MAX_NAMED).map(({ path, errno }) => `${shellQuote(path)}: ${errno}`);
  return [
    {
      severity: "warning",
      agent,
      message: `not everything could be tried as ${agent}`,
      evidence: evidence.join(", "),
      fix:
        fix ??
        asAccount(
          agent,
          `ls -ld ${untried
            .slice(0, MAX_NAMED)
            .map(({ path }) => shellQuote(placeIn(path)))
            .join(" ")}`,
        ),
    },
  ];
}

/** "write to /tmp": an attempt may begin with what was tried there. */
function placeIn(path: string): string {
  return path.replace(/^[a-z ]+(?=\/)/, "");
}

/** "a, b and 3 more" */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).map(shellQuote).join(", ");
  return names.length > MAX_NAMED ? `${shown} and ${names.length - MAX_NAMED} more` : shown;
}
