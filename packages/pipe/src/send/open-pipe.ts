import { BusError, type ChannelHost, type Pipe, type PipeOptions } from "@agentbus/core";
import { PipeSender } from "./pipe-sender.js";

/**
 * Opens a pipe to an agent. It is taken up when the first message is sent, so this does not wait for the receiver.
 * @throws BusError ERR_TOPIC_INVALID, ERR_ADDRESS_UNKNOWN, ERR_BARRED
 */
export async function openPipe(host: ChannelHost, address: string, options: PipeOptions): Promise<Pipe> {
  const writer = host.envelopesTo(address);
  const user = address.slice(1);
  const uid = user.includes("~") ? undefined : await host.findUid(user);
  if (uid === undefined) {
    throw new BusError("ERR_ADDRESS_UNKNOWN", `cannot open a pipe to ${address}: there is no such account`, {
      fix: "agentbus status shows who is there",
    });
  }
  // By the spool everybody may.
  if (options.fallback !== "spool") host.requireNotBarred("pipes", user);
  return new PipeSender(host, { user, uid, address }, writer, options);
}
