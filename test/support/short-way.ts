import type { TestContext } from "node:test";
import { Outbox } from "#core/publish/outbox.js";

/** Publishers remember a subscription, and so append, only when its record is some milliseconds old. */
export const UNTIL_KNOWN_MS = 100;

/** How many messages go the short way from now on. */
export function countShort(context: TestContext): { count: number } {
  const short = { count: 0 };
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const sendBy = Outbox.prototype.sendBy;
  context.mock.method(Outbox.prototype, "sendBy", function (this: Outbox, ...args: Parameters<typeof sendBy>) {
    const isStored = sendBy.apply(this, args);
    if (isStored === true) short.count++;
    return isStored;
  });
  return short;
}
