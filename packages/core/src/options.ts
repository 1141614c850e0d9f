/**
 * Refuses what an options object must not hold: a misspelt option that is silently ignored costs somebody an afternoon.
 * @throws TypeError naming the option and the ones that exist
 */
export function refuseUnknownOptions(what: string, options: object, known: ReadonlySet<string>): void {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) {
      throw new TypeError(`${what} has no option "${name}"; it has: ${[...known].join(", ")}`);
    }
  }
}

/** @throws TypeError unless the value is a whole number from `min` to `max` (or absent) */
export function requireInteger(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TypeError(`${name} must be a whole number from ${min} to ${max}, not ${String(value)}`);
  }
}

/** @throws TypeError unless the value is one of `choices` (or absent) */
export function requireOneOf(name: string, value: string | undefined, choices: readonly string[]): void {
  if (value !== undefined && !choices.includes(value)) {
    throw new TypeError(
      `${name} must be ${choices.map((choice) => `"${choice}"`).join(" or ")}, not ${JSON.stringify(value)}`,
    );
  }
}

/** The longest wait that a Node timer can express, in milliseconds (2^31 - 1). */
export const MAX_TIMER_MS = 2_147_483_647;
