import { setTimeout as delay } from "node:timers/promises";
import type { Assignment } from "./assignment.js";
import { runEnd } from "./end.js";
import { nowNs, payloadsOf } from "../envelope.js";
import { paced, warmUpPace } from "./pacing.js";
import { awaited, pipelined } from "./pipelined.js";
import { loadTransport } from "../transports/index.js";

/** Once all that warms up has arrived: for what the machine does afterwards, such as collecting garbage, in milliseconds. */
const PAUSE_MS = 100;

/**
 * As long as others' turns, in milliseconds. What a transport does only then, such as to end a stream, it does once while V8 is still to
 * compile most of it: what V8 has compiled without having seen that, it drops when it comes.
 */
const REST_MS = 3_000;
/** … and so much of the warming up comes before. */
const BEFORE_REST = 1 / 8;

/** The publishing end: a process of its own, started by the bench. */
await runEnd<Assignment>(async (assignment, bench) => {
  const sender = await (await loadTransport(assignment.transport)).send(assignment);
  const payloadOf = payloadsOf(assignment.bytes);
  let serial = 0;
  const send = () => sender.send(payloadOf(++serial));
  const flush = sender.flush?.bind(sender);
  const { perSecond: pace, window } = assignment;

  const sendAll = async (count: number, perSecond: number | null) => {
    if (perSecond !== null) return sendPaced(count, perSecond, send);
    if (window === 1) return awaited(count, send, flush);
    return pipelined(count, window ?? 1, send, flush);
  };

  const beforeRest = assignment.rests ? Math.ceil(assignment.warmUp * BEFORE_REST) : 0;
  const warmUpSpeed = pace && warmUpPace(pace);
  if (beforeRest > 0) {
    await sendAll(beforeRest, warmUpSpeed);
    await delay(REST_MS);
  }
  await sendAll(assignment.warmUp - beforeRest, warmUpSpeed);
  bench.tell({ kind: "warm" });
  for (let order = await bench.hear(); order.kind === "start"; order = await bench.hear()) {
    await delay(PAUSE_MS);
    const cpu = process.cpuUsage();
    const firstSentNs = nowNs();
    await sendAll(order.count, pace);
    const lastAcceptedNs = nowNs();
    const { user, system } = process.cpuUsage(cpu);
    bench.tell({ kind: "sent", firstSentNs, lastAcceptedNs, cpuUs: user + system });
  }
  await sender.close();
});

/**
 * Does as little as can be for each message: what a publisher does beside, and after, its subscriber may have to wait for.
 * @throws the first failure, once all is sent
 */
async function sendPaced(count: number, perSecond: number, send: () => void | Promise<unknown>): Promise<void> {
  const failures: unknown[] = [];
  let unsettled = 0;
  let onAllSettled: (() => void) | undefined;
  const onAccepted = () => {
    if (--unsettled === 0) onAllSettled?.();
  };
  const onFailure = (error: unknown) => {
    failures.push(error);
    onAccepted();
  };
  await paced(count, perSecond, () => {
    const accepted = send();
    if (accepted === undefined) return;
    unsettled++;
    accepted.then(onAccepted, onFailure);
  });
  if (unsettled > 0) await new Promise<void>((resolve) => (onAllSettled = resolve));
  if (failures.length > 0) throw failures[0];
}
