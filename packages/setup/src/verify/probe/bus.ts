import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { openBus, type Bus, type Refusal } from "@agentbus/core";
import { attempt, type Attempt } from "./attempt.js";

/** Test messages are of no use to whoever finds them later. */
const EXPIRES_IN_MS = 60_000;
/** Test subscriptions that keep messages, and that a killed verification may leave: the next one removes them. */
const KEPT = "verify-";
const FORGED = "forged";

export interface Arrival {
  readonly sender: string;
  readonly text: string;
}

interface Seat {
  readonly bus: Bus;
  readonly arrivals: Arrival[];
  readonly refusals: Pick<Refusal, "reason" | "sender">[];
  onNews: () => void;
}

/** Where this account sits on the bus, by group. */
const seats = new Map<string, Seat>();

/** Opens the bus of a group, and subscribes to a topic. @returns the directory of the subscription */
export async function joinBus(group: string, topic: string): Promise<string> {
  const bus = await openBus({ group, rescanMs: 200 });
  const seat: Seat = { bus, arrivals: [], refusals: [], onNews: () => undefined };
  seats.set(group, seat);
  await removeKept(bus);
  const onRefused = ({ reason, sender }: Refusal) => {
    seat.refusals.push({ reason, sender });
    seat.onNews();
  };
  const subscription = await bus.subscribe(topic, { onRefused }, async ({ sender, data }) => {
    seat.arrivals.push({ sender: sender.user, text: String(data) });
    seat.onNews();
  });
  return `${bus.spool.path}/subscriptions/${subscription.name}`;
}

export async function publishTo(group: string, topic: string, text: string): Promise<void> {
  await seatIn(group).bus.publish(topic, text, { expiresInMs: EXPIRES_IN_MS });
}

/** What has arrived once there is something from each of these accounts, or the time is over. */
export async function arrivalsFrom(group: string, senders: readonly string[], withinMs: number): Promise<Arrival[]> {
  const seat = seatIn(group);
  await untilNews(seat, withinMs, () =>
    senders.every((sender) => seat.arrivals.some((each) => each.sender === sender)),
  );
  return seat.arrivals;
}

/** The reasons for which messages of an account were refused, once there is one or a forged message was taken for true, or the time is over. */
export async function refusalsOf(group: string, sender: string, withinMs: number): Promise<string[]> {
  const seat = seatIn(group);
  const ofSender = () => seat.refusals.filter((refusal) => refusal.sender?.user === sender).map(({ reason }) => reason);
  const isBelieved = () => seat.arrivals.some((arrival) => arrival.sender === sender && arrival.text === FORGED);
  await untilNews(seat, withinMs, () => ofSender().length > 0 || isBelieved());
  return ofSender();
}

/** Publishes a message to this account itself, into a subscription where nobody takes it. @returns the message's file */
export async function leaveMessage(group: string, topic: string, token: string): Promise<string> {
  const { bus } = seatIn(group);
  const subscription = await bus.subscribe(topic, { durable: `${KEPT}${token}` });
  const dropBox = `${bus.spool.path}/subscriptions/${subscription.name}/new`;
  await subscription.close();
  await bus.publish(topic, "left alone", { expiresInMs: EXPIRES_IN_MS });
  const name = fs.readdirSync(dropBox).find((each) => each.endsWith(".json"));
  if (name === undefined) throw new Error(`what was published did not come to ${dropBox}`);
  return `${dropBox}/${name}`;
}

/** Puts a message in the name of another account into a drop box, as a program without agentbus can. */
export function forgeMessage(group: string, dropBox: string, topic: string, pretended: string): Attempt {
  const { bus } = seatIn(group);
  const id = newUlid();
  const envelope = {
    ...{ specversion: "1.0", id, source: `/agents/${pretended}`, type: topic, topic },
    ...{ time: new Date().toISOString(), data: FORGED },
  };
  const name = `5-${id}-${randomText(26, "abcdefghijklmnopqrstuvwxyz234567")}.json`;
  const draft = `${bus.spool.path}/outbox/${bus.user}/.${name}`;
  return attempt(dropBox, () => {
    fs.writeFileSync(draft, JSON.stringify(envelope), { flag: "wx" });
    try {
      fs.chmodSync(draft, 0o640);
      fs.linkSync(draft, `${dropBox}/${name}`);
    } finally {
      fs.unlinkSync(draft);
    }
  });
}

/** Tries to change, replace, rename and remove a message of somebody else, and to move its subscription away. */
export function meddleWith(group: string, messagePath: string): Attempt[] {
  const { bus } = seatIn(group);
  const own = `${bus.spool.path}/outbox/${bus.user}/.${randomBytes(8).toString("hex")}`;
  const subscriptionDir = messagePath.replace(/\/new\/[^/]+$/, "");
  const { O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  fs.writeFileSync(own, "", { flag: "wx" });
  try {
    return [
      attempt(`overwrite ${messagePath}`, () =>
        fs.closeSync(fs.openSync(messagePath, O_WRONLY | O_NOFOLLOW | O_NONBLOCK)),
      ),
      attempt(`replace ${messagePath}`, () => fs.renameSync(own, messagePath)),
      attempt(`rename ${messagePath}`, () => moveAway(messagePath)),
      attempt(`remove ${messagePath}`, () => fs.unlinkSync(messagePath)),
      attempt(`rename ${subscriptionDir}`, () => moveAway(subscriptionDir)),
    ];
  } finally {
    fs.rmSync(own, { force: true });
  }
}

/** Lets go of everything on the bus of a group that this verification made. */
export async function leaveBus(group: string): Promise<void> {
  const seat = seats.get(group);
  seats.delete(group);
  if (seat === undefined) return;
  await removeKept(seat.bus);
  await seat.bus.close();
}

/** The bus of a group that this account has joined. */
export function busOf(group: string): Bus {
  return seatIn(group).bus;
}

export function moveAway(path: string): void {
  const away = `${path}.moved`;
  fs.renameSync(path, away);
  fs.renameSync(away, path);
}

async function removeKept(bus: Bus): Promise<void> {
  const prefix = `${bus.user}~${KEPT}`;
  const names = fs.readdirSync(`${bus.spool.path}/subscriptions`).filter((name) => name.startsWith(prefix));
  for (const name of names) await bus.unsubscribe(name.slice(bus.user.length + 1)).catch(() => undefined);
}

function seatIn(group: string): Seat {
  const seat = seats.get(group);
  if (seat === undefined) throw new Error(`not on the bus of ${group}`);
  return seat;
}

function untilNews(seat: Seat, withinMs: number, isEnough: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      seat.onNews = () => undefined;
      resolve();
    };
    const timer = setTimeout(finish, withinMs);
    seat.onNews = () => {
      if (isEnough()) finish();
    };
    seat.onNews();
  });
}

/** A ULID of now, as any program could make one. */
function newUlid(): string {
  const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  let time = "";
  for (let rest = Date.now(); time.length < 10; rest = Math.floor(rest / 32)) time = alphabet.charAt(rest % 32) + time;
  return time + randomText(16, alphabet);
}

function randomText(length: number, alphabet: string): string {
  return [...randomBytes(length)].map((byte) => alphabet.charAt(byte % 32)).join("");
}
