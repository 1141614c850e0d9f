import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { BusError, fromErrno, type ChannelHost } from "@agentbus/core";
import type { Native } from "./native.js";
import { peerOf } from "./peer.js";
import { requireShortPath, socketFileOf, type SocketAddress } from "./socket-path.js";

/**
 * Connects to what an account serves, and makes sure that it is that account which serves it, before a byte is sent: the directory and
 * the socket in it have to be that account's, and so has the process that listens, by the kernel's word. A file proves little by
 * itself, since whoever may write to a directory can rename a socket into it, and what listens behind a file may have changed hands.
 * @param uid of the account
 * @throws BusError ERR_NO_PEER when nobody serves it, ERR_BARRED when it may not or this account may not, ERR_BUSY when too many connect to it, ERR_SQUATTED when somebody else does, ERR_ACCESS, ERR_PATH_TOO_LONG, ERR_IO
 */
export async function reach(host: ChannelHost, native: Native, address: SocketAddress, uid: number): Promise<Socket> {
  const { user, name } = address;
  host.requireNotBarred("sockets", user);
  const file = socketFileOf(name);
  const path = `${host.spool.path}/run/${user}/${file}`;
  requireShortPath(path, host.spool.path);
  const directory = host.openDirectoryOf("run", user, uid);
  if (directory === undefined) throw nobody(address, path);
  let socket: Socket | undefined;
  try {
    const stat = host.fileSystem.lstat(directory.atOwn(file));
    if (stat.uid !== uid) throw squatted(path, user, stat.uid);
    if (!stat.isSocket()) throw nobody(address, path);
    socket = createConnection(directory.atOwn(file));
    await once(socket, "connect");
    const peer = peerOf(socket, native);
    if (peer.uid !== uid) throw squatted(path, user, peer.uid);
    return socket;
  } catch (error) {
    socket?.destroy();
    throw await explained(error, host, address, path);
  } finally {
    directory.close();
  }
}

async function explained(error: unknown, host: ChannelHost, address: SocketAddress, path: string): Promise<unknown> {
  const code = (error as NodeJS.ErrnoException).code;
  // ECONNRESET: it ended before it had accepted the connection.
  if (["ENOENT", "ECONNREFUSED", "ECONNRESET"].includes(code ?? "")) return nobody(address, path);
  // Its queue of connections is full: it is there, and busy. Trying again helps.
  if (code === "EAGAIN") return crowded(address, path);
  if (code === "EACCES") return host.noAccess(error);
  return fromErrno(error, "connect to", path);
}

function nobody({ user, name }: SocketAddress, path: string): BusError {
  return new BusError("ERR_NO_PEER", `nobody serves @${user}/${name}`, {
    path,
    fix: `start what serves it: bus.serve("${name}", …), or agentbus serve ${name} --exec CMD, as ${user}; { waitMs }, or --wait, waits for it`,
  });
}

function crowded({ user, name }: SocketAddress, path: string): BusError {
  return new BusError("ERR_BUSY", `@${user}/${name} has as many connections to accept as the kernel keeps for it`, {
    path,
    fix: "try again, or say how long to wait for it: { waitMs }",
  });
}

function squatted(path: string, user: string, uid: number): BusError {
  return new BusError("ERR_SQUATTED", `cannot use ${path}: uid ${uid} listens there, and not ${user}`, {
    path,
    fix: `sudo rm ${path}`,
    details: { uid },
  });
}
