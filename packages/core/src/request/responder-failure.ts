import { BusError } from "../errors.js";
import type { Sender } from "../deliver/judge.js";

/** What a responder's failure becomes for the one who asked. @param why in its words */
export function responderFailure(
  { sender, topic, data }: { readonly sender: Sender; readonly topic: string; readonly data: unknown },
  why: string,
): BusError {
  return new BusError("ERR_RESPONDER", `${sender.user} could not answer ${topic}: ${why}`, {
    details: { sender, data },
  });
}
