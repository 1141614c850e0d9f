import { Kind, note } from "./frames.js";

/** What each side says first. */
export interface Hello {
  /** The version of the protocol. */
  readonly agentbus: 1;
  /** The name that the server serves. */
  readonly name?: string | undefined;
  /** Bytes of each stream, and of messages by themselves, that this side has room for at first. */
  readonly room: number;
  /** Calls that the server takes at a time from one connection. */
  readonly maxCalls?: number | undefined;
}

const VERSION = 1;
/** How long each side waits for the other's first frame, in milliseconds. */
export const HANDSHAKE_MS = 5_000;
/** @see Hello.room */
export const ROOM_BYTES = 256 * 1024;
const MAX_ROOM_BYTES = 1024 * 1024 * 1024;
const MAX_CALLS = 1_000_000;

export function helloFrame(hello: Omit<Hello, "agentbus">): string {
  return note(Kind.hello, 0, JSON.stringify({ agentbus: VERSION, ...hello }));
}

/** @returns undefined when it is none, or of another version */
export function parseHello(text: string): Hello | undefined {
  const { agentbus, name, room, maxCalls } = parseObject(text);
  if (agentbus !== VERSION || !isCount(room, MAX_ROOM_BYTES)) return undefined;
  if (name !== undefined && typeof name !== "string") return undefined;
  if (maxCalls !== undefined && !isCount(maxCalls, MAX_CALLS)) return undefined;
  return { agentbus, name, room, maxCalls };
}

/** Why a server takes no connection, as its last frame says it. */
export interface Farewell {
  readonly code: string;
  readonly message: string;
}

export function farewellFrame(farewell: Farewell): string {
  return note(Kind.refusal, 0, JSON.stringify(farewell));
}

export function parseFarewell(text: string): Farewell {
  const { code, message } = parseObject(text);
  return { code: typeof code === "string" ? code : "", message: typeof message === "string" ? message : "" };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isCount(value: unknown, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max;
}
