import type { DeadLetterOffice } from "./dead-letter-office.js";
import { openSpool, type SpoolSeams } from "./open-spool.js";
import type { SpoolChoice } from "./spool-location.js";

/**
 * The dead letters of this account's subscriptions and of the queues.
 *
 * Loaded when it is called: who only publishes shall not wait for it.
 * @throws BusError as `openBus`
 */
export async function deadLetters(choice: SpoolChoice = {}, seams: SpoolSeams = {}): Promise<DeadLetterOffice> {
  const { DeadLetterOffice: Office } = await import("./dead-letter-office.js");
  return new Office(await openSpool(choice, seams));
}
