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

/**
 * One publisher's process and one subscriber's, started for a round: first they warm up, then they are measured, at one go or in turns
 * with others.
 */
export class OneWayEnds {
  readonly #assignment: Assignment;
  readonly #publisher: EndProcess;
  readonly #subscriber: EndProcess;
  readonly #sendingMs: number;
  readonly #turns: Sent[] = [];
  #sent = 0;

  /** Call `kill()` in the end, whatever else happens. @param accounts that the ends run under @default the bench's */
  constructor(assignment: Assignment, leftovers: Leftovers, accounts?: OneWayOptions["accounts"]) {
    const { warmUp, count, perSecond } = assignment;
    const scheduleMs = perSecond === null ? 0 : ((warmUp + count) * 1_000) / perSecond;
    this.#assignment = assignment;
    this.#sendingMs = 2 * scheduleMs + SENDING_PATIENCE_MS;
    this.#subscriber = new EndProcess("subscriber", leftovers, accounts?.subscriber);
    this.#publisher = new EndProcess("publisher", leftovers, accounts?.publisher);
  }

  get pids(): readonly [publisher: number, subscriber: number] {
    return [this.#publisher.pid, this.#subscriber.pid];
  }

  /** Resolves when both have warmed up and nothing is on its way. */
  async warmUp(): Promise<void> {
    this.#subscriber.assign(this.#assignment);
    await this.#subscriber.expect("ready", PATIENCE_MS);
    this.#publisher.assign(this.#assignment);
    await this.#publisher.expect("warm", this.#sendingMs);
    await this.#settled();
  }

  /** Sends some of the messages that count. Resolves when they have arrived. */
  async turn(count: number): Promise<void> {
    this.#publisher.tell({ kind: "start", count });
    this.#turns.push(await this.#publisher.expect("sent", this.#sendingMs));
    this.#sent += count;
    await this.#settled();
  }

  /** After at least one turn. */
  async finish(): Promise<OneWay> {
    this.#publisher.tell({ kind: "finish" });
    this.#subscriber.tell({ kind: "finish" });
    const arrived = await this.#subscriber.expect("arrived", PATIENCE_MS);
    const [first, last] = [this.#turns[0] as Sent, this.#turns.at(-1) as Sent];
    const cpuUs = this.#turns.reduce((sum, turn) => sum + turn.cpuUs, 0);
    return { firstSentNs: first.firstSentNs, lastAcceptedNs: last.lastAcceptedNs, cpuUs, ...arrived };
  }

  async kill(): Promise<void> {
    await Promise.all([this.#publisher.kill(), this.#subscriber.kill()]);
  }

  /** The subscriber gives up by itself when nothing comes, so it may take as long as messages do. */
  async #settled(): Promise<void> {
    this.#subscriber.tell({ kind: "settle", upTo: this.#assignment.warmUp + this.#sent });
    await this.#subscriber.expect("settled", SENDING_PATIENCE_MS);
  }
}

/** A round at one go. */
export async function runOneWay(
  assignment: Assignment,
  leftovers: Leftovers,
  { accounts, whileIdle }: OneWayOptions = {},
): Promise<OneWay> {
  const ends = new OneWayEnds(assignment, leftovers, accounts);
  try {
    await ends.warmUp();
    await whileIdle?.(...ends.pids);
    await ends.turn(assignment.count);
    return await ends.finish();
  } finally {
    await ends.kill();
  }
}
