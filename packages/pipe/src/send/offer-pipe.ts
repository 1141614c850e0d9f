import type { ChannelHost } from "@agentbus/core";
import { OfferedFifo, type WritingEnds } from "./offered-fifo.js";

/** Who a pipe goes to. */
export interface PipeTarget {
  readonly user: string;
  readonly uid: number;
  /** `@user`. */
  readonly address: string;
}

export interface Offer {
  /** Asked at each look: whether there is no point in waiting any more. */
  readonly isOver: () => boolean;
  /** Gets the ends, which are its to close. */
  readonly onTakenUp: (ends: WritingEnds) => void;
}

/**
 * Offers a pipe to an agent, and waits until a receiver takes it up.
 * @returns whether it could be offered: false when the agent has no drop box yet
 * @throws BusError ERR_ACCESS, ERR_SQUATTED, ERR_PLATFORM, ERR_IO …
 */
export async function offerPipe(
  host: ChannelHost,
  { user, uid, address }: PipeTarget,
  { isOver, onTakenUp }: Offer,
  signal: AbortSignal,
): Promise<boolean> {
  const box = host.openDirectoryOf("pipes", user, uid);
  if (box === undefined) return false;
  let fifo: OfferedFifo;
  try {
    fifo = await OfferedFifo.make(host, box);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") throw await host.noAccess(error);
    throw host.refusedByKernel(error, "open a pipe to", address);
  }
  await fifo.untilTakenUp(isOver, signal);
  if (fifo.isTakenUp && !signal.aborted) onTakenUp(fifo.accept());
  else fifo.withdraw();
  return true;
}
