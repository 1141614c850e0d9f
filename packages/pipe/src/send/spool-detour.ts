import type { ChannelHost, Receipt } from "@agentbus/core";

/** As long as a timer can wait: for room in an inbox that is full, in milliseconds. */
const FOR_EVER_MS = 2_147_483_647;

/**
 * The way by the receiver's inbox. It knows whether everything that went this way has been acknowledged: before that, nothing may go
 * through the pipe again, or the receiver would have later messages before earlier ones.
 */
export class SpoolDetour {
  readonly #host: ChannelHost;
  /** Of what may not be acknowledged yet, the oldest first. */
  #receipts: Receipt[] = [];

  constructor(host: ChannelHost) {
    this.#host = host;
  }

  /** Whether the receiver has still to acknowledge something. */
  get isInUse(): boolean {
    while (this.#receipts.length > 0 && isDone(this.#receipts[0] as Receipt)) this.#receipts.shift()?.close();
    return this.#receipts.length > 0;
  }

  /** @param text an envelope @throws as `Bus.publish` */
  async send(text: string, signal: AbortSignal): Promise<void> {
    const { receipt } = await this.#host.forward(text, {
      receipt: true,
      onFull: "wait",
      timeoutMs: FOR_EVER_MS,
      signal,
    });
    if (receipt !== undefined) this.#receipts.push(receipt);
  }

  /** What is in the inbox stays there. */
  close(): void {
    for (const receipt of this.#receipts) receipt.close();
    this.#receipts = [];
  }
}

function isDone(receipt: Receipt): boolean {
  try {
    return receipt.pending() === 0;
  } catch {
    // Somebody has cleared the outbox: nobody can tell any more.
    return true;
  }
}
