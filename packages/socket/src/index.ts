/** @agentbus/socket: requests, pushes and streams between accounts, over sockets whose peers the kernel vouches for. */
import {
  BusError,
  type ChannelHost,
  type CompleteConnectOptions,
  type CompleteServeOptions,
  type ServeHandler,
  type SocketClient,
  type SocketServer,
} from "@agentbus/core";
import { Client } from "./connect/client.js";
import { loadNative } from "./place/native.js";
import { Server } from "./serve/server.js";
import { parseSocketAddress, requireName } from "./place/socket-path.js";

/** What `bus.serve()` does. @throws as there */
export async function openServer<Data>(
  host: ChannelHost,
  name: string,
  options: CompleteServeOptions,
  handler: ServeHandler<Data> | undefined,
): Promise<SocketServer<Data>> {
  requireName(name);
  const native = await loadNative();
  await requireKnown(host, options);
  return Server.open({ host, native, name, options, handler });
}

/** What `bus.connect()` does. @throws as there */
export async function openClient<Data>(
  host: ChannelHost,
  address: string,
  options: CompleteConnectOptions,
): Promise<SocketClient<Data>> {
  const { user, name } = parseSocketAddress(address);
  const native = await loadNative();
  const uid = await host.findUid(user);
  if (uid === undefined) {
    throw new BusError("ERR_ADDRESS_UNKNOWN", `cannot connect to ${address}: there is no account ${user}`, {
      fix: "agentbus status lists who has been here",
    });
  }
  return Client.open({ host, native, name, server: { user, uid }, options });
}

/** Whoever is misspelt would be shut out without a word. @throws BusError ERR_ACCOUNT */
async function requireKnown(host: ChannelHost, { allow }: CompleteServeOptions): Promise<void> {
  for (const user of allow?.users ?? []) {
    if ((await host.findUid(user)) === undefined) throw unknown("account", user);
  }
  for (const group of allow?.groups ?? []) {
    if ((await host.findGid(group)) === undefined) throw unknown("group", group);
  }
}

function unknown(kind: "account" | "group", name: string): BusError {
  return new BusError("ERR_ACCOUNT", `cannot serve the ${kind} ${JSON.stringify(name)}: there is none`, {
    fix: `getent ${kind === "account" ? "passwd" : "group"} shows those that there are`,
  });
}
