import { BusError, fromErrno } from "../errors.js";

/**
 * What to tell when not all of its subscriptions store a message: ERR_BACKLOG when some are full, ERR_PARTIAL or the system's reason
 * when some failed.
 * @param cause why the first one failed; undefined when none did
 */
export function incomplete(
  destination: string,
  details: { id: string; stored: readonly string[]; missing: readonly string[] },
  cause: unknown,
): BusError {
  const missing = details.missing.join(", ");
  const has = details.stored.length > 0 ? `; stored by ${details.stored.join(", ")}` : "";
  const again = `publish again with { id: "${details.id}" } to complete it without doubles`;
  if (cause === undefined) {
    return new BusError(
      "ERR_BACKLOG",
      `cannot publish to ${destination}: ${missing} holds as many messages as it allows${has}`,
      {
        fix: `start its consumer (agentbus status), then ${again}; or choose { onFull: "wait" } or "drop"`,
        details,
      },
    );
  }
  const error = fromErrno(cause, `publish to ${destination}`);
  if (details.stored.length === 0)
    return new BusError(error.code, error.message, { path: error.path, fix: error.fix, cause: error.cause, details });
  return new BusError(
    "ERR_PARTIAL",
    `published to ${destination} for some only: ${missing} did not get it (${error.message})${has}`,
    {
      path: error.path,
      fix: `${error.fix ?? "agentbus doctor"}; then ${again}`,
      cause: error,
      details,
    },
  );
}
