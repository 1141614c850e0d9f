import fs from "node:fs";
import { once } from "node:events";
import { createConnection, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { BusError, fromErrno, type ChannelHost } from "@agentbus/core";
import type { Native } from "./native.js";
import { peerOf } from "./peer.js";
import { requireShortPath, socketFileOf } from "./socket-path.js";

/** connect(2) asks for the right to write. */
const GROUP_MODE = 0o660;
const PERSONAL_MODE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;
const LOCK_FILE = "sockets.lock";
/** Who installs or removes a socket holds the lock for a moment only; one that is held longer is that of a stopped process. */
const LOCK_WAIT_MS = 5_000;
const LOCK_LOOK_MS = 5;
const STAGING_LENGTH = 3;
const STAGING_TRIES = 20;
const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = fs.constants;

/** A socket file that stands in its place. */
export interface Installed {
  readonly path: string;
  /** Takes it away, unless another one has its place by now. */
  remove(): void;
}

/**
 * Lets a server listen at `run/<user>/<name>.sock`.
 *
 * The socket is made in a directory that nobody else can enter, gets its mode there, and is then renamed into place: at no moment can more
 * accounts reach it than in the end. rename(2) is the commit point, and replaces a file that was left behind; whether it was, is
 * decided under a lock, by asking whether somebody listens there.
 * @throws BusError ERR_BUSY naming the process that serves it, ERR_PATH_TOO_LONG, ERR_SQUATTED, ERR_ACCESS, ERR_IO
 */
export async function listenAt(
  host: ChannelHost,
  native: Native,
  name: string,
  server: Server,
  backlog: number,
): Promise<Installed> {
  const runDir = host.ensureOwnDirectory("run");
  const path = `${runDir}/${socketFileOf(name)}`;
  requireShortPath(path, host.spool.path);
  try {
    const stagingDir = makeStaging(host, runDir);
    try {
      const staged = `${stagingDir}/s`;
      // exclusive: a cluster's worker would otherwise have its primary listen, which is another process.
      server.listen({ path: staged, exclusive: true, backlog });
      await once(server, "listening");
      const { ino, dev } = openToGroup(host, staged);
      const unlock = await lock(host, native, runDir);
      try {
        await requireFree(native, path);
        host.fileSystem.rename(staged, path);
      } finally {
        unlock();
      }
      return { path, remove: () => removeOwn(host, path, ino, dev) };
    } finally {
      removeStaging(host, stagingDir);
    }
  } catch (error) {
    server.close();
    throw fromErrno(error, "listen at", path);
  }
}

/** As long as a name of one letter, with `.sock`, so that a path that is short enough stays so. */
function makeStaging(host: ChannelHost, runDir: string): string {
  for (let tries = 1; ; tries++) {
    const dir = `${runDir}/.${host.random(STAGING_LENGTH)}`;
    try {
      host.fileSystem.mkdir(dir, PRIVATE_DIRECTORY);
      return dir;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || tries === STAGING_TRIES) throw error;
    }
  }
}

function removeStaging({ fileSystem }: ChannelHost, dir: string): void {
  ignoreMissing(() => fileSystem.unlink(`${dir}/s`));
  ignoreMissing(() => fileSystem.rmdir(dir));
}

/** Gives a socket that nobody else can reach yet the group and the mode that it is to have, whatever the umask. */
function openToGroup({ fileSystem, spool }: ChannelHost, staged: string): fs.Stats {
  if (spool.kind === "personal") {
    fileSystem.chmod(staged, PERSONAL_MODE);
    return fileSystem.lstat(staged);
  }
  // It has the group of the setgid directory already, unless its mode was changed.
  const { gid } = fileSystem.lstat(staged);
  if (gid !== spool.gid) fileSystem.chown(staged, -1, spool.gid);
  fileSystem.chmod(staged, GROUP_MODE);
  return fileSystem.lstat(staged);
}

/** flock(2): the kernel lets go of it when its holder dies. In a directory that only this account writes to. */
async function lock({ fileSystem }: ChannelHost, native: Native, runDir: string): Promise<() => void> {
  const path = `${runDir}/${LOCK_FILE}`;
  const fd = fileSystem.open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK, PRIVATE_FILE);
  const until = performance.now() + LOCK_WAIT_MS;
  try {
    while (!native.tryLock(fd)) {
      if (performance.now() > until) {
        throw new BusError("ERR_BUSY", `cannot take ${path}: another process of this account has held it for seconds`, {
          path,
          fix: `see which, and end it: fuser -v ${path}`,
        });
      }
      await pause(LOCK_LOOK_MS);
    }
  } catch (error) {
    fileSystem.close(fd);
    throw error;
  }
  return () => fileSystem.close(fd);
}

/** @throws BusError ERR_BUSY when somebody listens there */
async function requireFree(native: Native, path: string): Promise<void> {
  const listener = await listenerAt(native, path);
  if (listener === undefined) return;
  const { pid } = listener;
  const who = pid === undefined ? "another process" : `process ${pid}`;
  throw new BusError("ERR_BUSY", `cannot listen at ${path}: ${who} does already`, {
    path,
    fix: pid === undefined ? `see which, and end it: fuser -v ${path}` : `stop that process: kill ${pid}`,
    details: { pid },
  });
}

/** Only a socket that refuses is nobody's: any other answer, such as a full queue, comes from one that is listened to. */
async function listenerAt(native: Native, path: string): Promise<{ readonly pid: number | undefined } | undefined> {
  let socket: Socket | undefined;
  try {
    socket = createConnection(path);
    await once(socket, "connect");
    return { pid: peerOf(socket, native).pid };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ECONNREFUSED", "ENOENT"].includes(code)) return undefined;
    // ENOTSOCK of macOS, where Linux refuses: it is a file. This account has put it there.
    return code === "ENOTSOCK" ? undefined : { pid: undefined };
  } finally {
    socket?.destroy();
  }
}

/** Without the lock: only this very inode is removed, and whoever has replaced it has made another. */
function removeOwn({ fileSystem }: ChannelHost, path: string, ino: number, dev: number): void {
  ignoreMissing(() => {
    const now = fileSystem.lstat(path);
    if (now.ino === ino && now.dev === dev) fileSystem.unlink(path);
  });
}

function ignoreMissing(action: () => void): void {
  try {
    action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
