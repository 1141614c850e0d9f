import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { SocketArena } from "./socket-arena.js";

export const HELLO_OF_SERVER = 'H0 {"agentbus":1,"name":"arena","room":1000000,"maxCalls":256}\n';

/** Something in the place of a server, which says what it likes. */
export async function imposter(arena: SocketArena, greet: (socket: Socket) => void): Promise<Server> {
  // Makes the directory.
  await (await arena.bus()).serve("other", () => 1);
  const server = createServer((socket) => greet(socket.resume().on("error", () => undefined)));
  server.listen(arena.path);
  await once(server, "listening");
  return server;
}
