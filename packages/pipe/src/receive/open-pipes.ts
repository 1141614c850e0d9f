import type { ChannelHost, PipeHandler, Pipes, PipesOptions } from "@agentbus/core";
import { PipeReceiver } from "./pipe-receiver.js";

/** Receives all pipes to this account. @throws BusError ERR_BUSY, ERR_SQUATTED, ERR_ACCESS, ERR_TOO_MANY_FILES */
export async function openPipes<Data>(
  host: ChannelHost,
  options: PipesOptions,
  handler: PipeHandler<Data> | undefined,
): Promise<Pipes<Data>> {
  const receiver = new PipeReceiver<Data>(host, options);
  try {
    await receiver.open();
  } catch (error) {
    await receiver.close();
    throw error;
  }
  if (handler !== undefined) receiver.handle(handler);
  return receiver;
}
