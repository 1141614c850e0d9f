import { BusError } from "@agentbus/core";

/** sockaddr_un(7) has room for 104 bytes on macOS and 108 on Linux, with the zero at the end. Node cuts longer ones off without a word. */
const MAX_PATH_BYTES = 103;

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const ADDRESS = /^@([A-Za-z0-9_][A-Za-z0-9._-]{0,63})\/([A-Za-z0-9_-]{1,64})$/;

export interface SocketAddress {
  readonly user: string;
  readonly name: string;
}

/** @throws TypeError */
export function requireName(name: string): void {
  if (typeof name === "string" && NAME.test(name)) return;
  throw new TypeError(`the name of a socket is 1 to 64 of A-Z a-z 0-9 _ -, such as "search", not ${quoted(name)}`);
}

/** Of "@codebot/search". @throws BusError ERR_TOPIC_INVALID, TypeError when it is not a string */
export function parseSocketAddress(address: string): SocketAddress {
  if (typeof address !== "string") throw new TypeError(`an address is a string, not ${typeof address}`);
  const [, user, name] = ADDRESS.exec(address) ?? [];
  if (user !== undefined && name !== undefined) return { user, name };
  throw new BusError("ERR_TOPIC_INVALID", `${quoted(address)} is not the address of a socket`, {
    fix: `write "@codebot/search" for what the account codebot serves as "search"`,
    details: { address },
  });
}

export function socketFileOf(name: string): string {
  return `${name}.sock`;
}

/** @throws BusError ERR_PATH_TOO_LONG */
export function requireShortPath(path: string, spoolDir: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_PATH_BYTES) return;
  throw new BusError(
    "ERR_PATH_TOO_LONG",
    `cannot use the socket ${path}: its path has ${bytes} bytes, and the kernel takes at most ${MAX_PATH_BYTES}`,
    {
      path,
      fix: `give it a name that is ${bytes - MAX_PATH_BYTES} bytes shorter, or keep the spool under a shorter path than ${spoolDir}: agentbus init --spool PATH`,
      details: { bytes, maxBytes: MAX_PATH_BYTES },
    },
  );
}

function quoted(text: unknown): string {
  return JSON.stringify(typeof text === "string" ? text.slice(0, 80) : text) ?? String(text);
}
