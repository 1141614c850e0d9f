import { BusError, ERROR_CODES, type ErrorCode } from "@agentbus/core";
import { HANDSHAKE_MS, type Farewell } from "../wire/hello.js";

/** The server has ended the connection, or its process has ended. @param to "@codebot/search" */
export function lost(to: string, cause: Error | undefined): BusError {
  const why = cause === undefined ? "" : `: ${(cause as NodeJS.ErrnoException).code ?? cause.message}`;
  return new BusError("ERR_NO_PEER", `the connection to ${to} was lost${why}`, { cause });
}

/** The same before it has said anything. */
export function unheard(to: string, cause: Error | undefined): BusError {
  return new BusError(
    "ERR_NO_PEER",
    `${to} closed the connection without a word: it ends, or has no descriptors left`,
    {
      cause,
      fix: "try again, or say how long to wait for it: { waitMs }; ulimit -n is what a process has of descriptors",
    },
  );
}

/** It is about to go. */
export function leftBy(to: string): BusError {
  return new BusError("ERR_NO_PEER", `what served ${to} has gone`);
}

/** What a call is told whose connection was lost. @param id of the call */
export function unanswered(cause: BusError, id: string): BusError {
  return new BusError("ERR_NO_PEER", `${cause.message}, before the answer; nobody knows how far the call got`, {
    cause,
    fix: "when doing it twice does no harm, say so: { idempotent: true }; then it is made again by itself",
    details: { id },
  });
}

/** It is there, and does not say hello. */
export function silent(to: string): BusError {
  return new BusError("ERR_TIMEOUT", `${to} does not answer within ${HANDSHAKE_MS} ms`, {
    fix: "agentbus status shows its process, which may be stopped, or too busy",
  });
}

/** It has said why it takes no connection. @param user whose server it is */
export function turnedAway(to: string, user: string, { code, message }: Farewell): BusError {
  const known = (ERROR_CODES as readonly string[]).includes(code) ? (code as ErrorCode) : "ERR_NO_PEER";
  return new BusError(known, `${to} refuses the connection: ${message}`, { fix: remedyFor(known, user) });
}

function remedyFor(code: ErrorCode, user: string): string | undefined {
  if (code === "ERR_ACCESS") return `ask ${user} to serve this account too: allow: { users }`;
  if (code !== "ERR_BUSY") return undefined;
  return `close connections that are not needed, or ask ${user} to take more of an account: maxConnectionsPerUser`;
}
