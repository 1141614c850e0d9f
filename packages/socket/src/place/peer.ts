import type { Socket } from "node:net";
import { BusError } from "@agentbus/core";
import type { Native } from "./native.js";

/** The process at the other end of a socket, by the kernel's word. */
export interface Peer {
  readonly uid: number;
  /** Its main group, and the others that it is in. */
  readonly gids: readonly number[];
  /** undefined where the kernel does not tell. */
  readonly pid: number | undefined;
}

/**
 * Asks the kernel who is at the other end: who connected, when it is asked of an accepted socket, and who began to listen, when it is
 * asked of one that connected. What the peer does later, such as giving up its rights, changes nothing of the answer.
 * @throws BusError ERR_PLATFORM, ERR_IO
 */
export function peerOf(socket: Socket, native: Native): Peer {
  const fd = descriptorOf(socket);
  try {
    switch (process.platform) {
      case "linux":
        return peerOnLinux(fd, native);
      case "darwin":
        return peerOnMacOs(fd, native);
      default:
        throw new BusError("ERR_PLATFORM", `cannot ask for the peer of a socket on ${process.platform}`);
    }
  } catch (cause) {
    if (cause instanceof BusError) throw cause;
    throw new BusError("ERR_IO", `cannot ask who is at the other end of a socket: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** unix(7): SO_PEERCRED gives `struct ucred { pid_t pid; uid_t uid; gid_t gid; }`. */
function peerOnLinux(fd: number, native: Native): Peer {
  const answer = Buffer.alloc(UCRED_BYTES);
  if (native.getSocketOption(fd, SOL_SOCKET, SO_PEERCRED, answer) !== UCRED_BYTES) throw new Error("a short answer");
  // A peer in another pid namespace has none here.
  const pid = answer.readInt32LE(0) || undefined;
  return { pid, uid: answer.readUInt32LE(4), gids: [answer.readUInt32LE(8), ...groupsOnLinux(fd, native)] };
}

/** SO_PEERGROUPS (Linux 4.13): `gid_t[]`, the supplementary groups that the peer had when it connected. */
function groupsOnLinux(fd: number, native: Native): number[] {
  for (let count = USUAL_GROUPS; ; count = MAX_GROUPS) {
    const answer = Buffer.alloc(count * GID_BYTES);
    try {
      const bytes = native.getSocketOption(fd, SOL_SOCKET, SO_PEERGROUPS, answer);
      return Array.from({ length: bytes / GID_BYTES }, (_, index) => answer.readUInt32LE(index * GID_BYTES));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERANGE" || count === MAX_GROUPS) throw error;
    }
  }
}

const SOL_SOCKET = 1;
/** As all the architectures have it that koffi is built for (asm/socket.h), but for PowerPC. */
const SO_PEERCRED = process.arch === "ppc64" ? 21 : 17;
const SO_PEERGROUPS = 59;
const UCRED_BYTES = 12;
const GID_BYTES = 4;
const USUAL_GROUPS = 32;
/** NGROUPS_MAX. */
const MAX_GROUPS = 65_536;

/**
 * unix(4) of macOS: LOCAL_PEERCRED gives `struct xucred { u_int version; uid_t uid; short ngroups; gid_t groups[16]; }`. Not run on
 * a Mac.
 */
function peerOnMacOs(fd: number, native: Native): Peer {
  const answer = Buffer.alloc(XUCRED_BYTES);
  const bytes = native.getSocketOption(fd, SOL_LOCAL, LOCAL_PEERCRED, answer);
  if (bytes < XUCRED_GROUPS_AT || answer.readUInt32LE(0) !== XUCRED_VERSION) throw new Error("another kind of answer");
  const count = Math.min(Math.max(0, answer.readInt16LE(8)), XUCRED_MAX_GROUPS);
  const gids = Array.from({ length: count }, (_, index) => answer.readUInt32LE(XUCRED_GROUPS_AT + index * GID_BYTES));
  return { pid: pidOnMacOs(fd, native), uid: answer.readUInt32LE(4), gids };
}

function pidOnMacOs(fd: number, native: Native): number | undefined {
  const answer = Buffer.alloc(4);
  try {
    native.getSocketOption(fd, SOL_LOCAL, LOCAL_PEERPID, answer);
    return answer.readInt32LE(0) || undefined;
  } catch {
    // Only people look at it.
    return undefined;
  }
}

const SOL_LOCAL = 0;
const LOCAL_PEERCRED = 1;
const LOCAL_PEERPID = 2;
const XUCRED_VERSION = 0;
const XUCRED_GROUPS_AT = 12;
const XUCRED_MAX_GROUPS = 16;
const XUCRED_BYTES = XUCRED_GROUPS_AT + XUCRED_MAX_GROUPS * 4;

/** The only way there is in Node. */
function descriptorOf(socket: Socket): number {
  const handle = (socket as unknown as Readonly<Record<string, { readonly fd?: number } | null | undefined>>)[
    "_handle"
  ];
  const fd = handle?.fd;
  if (fd !== undefined && fd >= 0) return fd;
  throw new BusError("ERR_IO", "cannot ask who is at the other end of a socket: it is closed");
}
