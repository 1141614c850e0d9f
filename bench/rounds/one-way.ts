import type { Arrived, Assignment, Sent } from "../ends/assignment.js";
import { EndProcess, type EndAccount } from "../ends/end-process.js";
import type { Leftovers } from "../leftovers.js";

export interface OneWay extends Sent, Arrived {}

export interface OneWayOptions {
  /** The ends run under these accounts. @default the bench's */
  readonly accounts?: { readonly publisher: EndAccount; readonly subscriber: EndAccount } | undefined;
  /** Called when both ends have warmed up and nothing is on its way. */
  readonly whileIdle?: ((publisherPid: number, subscriberPid: number) => Promise<void>) | undefined;
}

/** How long an end may take to start or to finish, in milliseconds. */
const PATIENCE_MS = 60_000;
/** … and to send, besides what its schedule takes. */
const SENDING_PATIENCE_MS = 300_000;

/** One publisher's process and one subscriber's, started for this round: first they warm up, then they are measured. */
export async function runOneWay(
  assignment: Assignment,
  leftovers: Leftovers,
  { accounts, whileIdle }: OneWayOptions = {},
): Promise<OneWay> {
  const { warmUp, count, perSecond } = assignment;
  const scheduleMs = perSecond === null ? 0 : ((warmUp + count) * 1_000) / perSecond;
  const sendingMs = 2 * scheduleMs + SENDING_PATIENCE_MS;
  const subscriber = new EndProcess("subscriber", leftovers, accounts?.subscriber);
  const publisher = new EndProcess("publisher", leftovers, accounts?.publisher);
  try {
    subscriber.assign(assignment);
    await subscriber.expect("ready", PATIENCE_MS);
    publisher.assign(assignment);
    await publisher.expect("warm", sendingMs);
    await settled(subscriber, warmUp);
    await whileIdle?.(publisher.pid, subscriber.pid);
    publisher.tell({ kind: "start" });
    const sent = await publisher.expect("sent", sendingMs);
    await settled(subscriber, warmUp + count);
    publisher.tell({ kind: "finish" });
    subscriber.tell({ kind: "finish" });
    const arrived = await subscriber.expect("arrived", PATIENCE_MS);
    return { ...sent, ...arrived };
  } finally {
    await Promise.all([publisher.kill(), subscriber.kill()]);
  }
}

/** The subscriber gives up by itself when nothing comes, so it may take as long as messages do. */
async function settled(subscriber: EndProcess, upTo: number): Promise<void> {
  subscriber.tell({ kind: "settle", upTo });
  await subscriber.expect("settled", SENDING_PATIENCE_MS);
}
