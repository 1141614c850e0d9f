import { spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createServer, type Server } from "node:net";
import { isBusError } from "@agentbus/core";
import { attempt, type Attempt } from "./attempt.js";
import { busOf, moveAway } from "./bus.js";

const MKFIFO_PATHS = ["/usr/bin/mkfifo", "/bin/mkfifo"];
const MKFIFO_LIMITS = { timeout: 5_000, killSignal: "SIGKILL", maxBuffer: 4_096 } as const;
/** connect(2) asks for the right to write. */
const SOCKET_MODE = 0o660;

/** Serves a socket by the library, for a moment. */
export function tryServing(group: string, name: string): Promise<Attempt> {
  return viaBus(`bus.serve("${name}")`, async () => (await busOf(group).serve(name, () => undefined)).close());
}

/** Receives pipes by the library, for a moment. */
export function tryPipes(group: string): Promise<Attempt> {
  return viaBus("bus.pipes()", async () => (await busOf(group).pipes(() => undefined)).close());
}

/** Connects to a socket by the library. */
export function tryConnecting(group: string, address: string): Promise<Attempt> {
  return viaBus(`bus.connect("${address}")`, async () => (await busOf(group).connect(address)).close());
}

/** Only the refusal that is looked for counts as one; whatever else happened, the bar did not hold. */
async function viaBus(path: string, action: () => Promise<void>): Promise<Attempt> {
  try {
    await action();
    return { path, outcome: "allowed" };
  } catch (error) {
    if (!isBusError(error)) throw error;
    const { code } = error;
    // There is no koffi: nobody has sockets.
    if (code === "ERR_PLATFORM" || code === "ERR_PACKAGE_MISSING") return { path, outcome: "absent", errno: code };
    return { path, outcome: code === "ERR_BARRED" ? "refused" : "allowed", errno: code };
  }
}

let aside: Server | undefined;

/**
 * Listens where a socket of the bus would be, without the library; a second call ends that, and takes the socket away.
 * @returns whether it listens
 */
export async function listenAside(group: string, name: string): Promise<boolean> {
  const { spool, user } = busOf(group);
  const path = `${spool.path}/run/${user}/${name}.sock`;
  if (aside !== undefined) {
    aside.close();
    aside = undefined;
    fs.rmSync(path, { force: true });
    return false;
  }
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen(path);
    await once(server, "listening");
    fs.chmodSync(path, SOCKET_MODE);
    aside = server;
    return true;
  } catch {
    return false;
  }
}

/** Makes a pipe in the drop box of an account, and takes it away again. */
export function tryDropBox(group: string, user: string, token: string): Attempt {
  const path = `${busOf(group).spool.path}/pipes/${user}/${token}.pipe`;
  const program = MKFIFO_PATHS.find((each) => fs.existsSync(each)) ?? "mkfifo";
  const env = { PATH: "/usr/bin:/bin", LC_ALL: "C" };
  const { status, stderr } = spawnSync(program, [path], { ...MKFIFO_LIMITS, encoding: "latin1", cwd: "/", env });
  if (status === 0) {
    fs.rmSync(path, { force: true });
    return { path: `mkfifo ${path}`, outcome: "allowed" };
  }
  const isRefused = /Permission denied|Operation not permitted|Read-only/i.test(stderr ?? "");
  return { path: `mkfifo ${path}`, outcome: isRefused ? "refused" : "untried", errno: (stderr ?? "").trim() };
}

/** Takes its own drop box of pipes back: by its mode, which is given once more as it is, and by another name, for a moment. */
export function tryTakingDropBox(group: string): Attempt[] {
  const { spool, user } = busOf(group);
  const path = `${spool.path}/pipes/${user}`;
  return [
    attempt(`chmod ${path}`, () => fs.chmodSync(path, fs.lstatSync(path).mode & 0o7777)),
    attempt(`rename ${path}`, () => moveAway(path)),
  ];
}
