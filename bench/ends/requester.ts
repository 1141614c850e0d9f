import type { Assignment } from "./assignment.js";
import { runEnd } from "./end.js";
import { nowNs, payloadsOf } from "../envelope.js";
import { paced, warmUpPace } from "./pacing.js";
import { SerialCheck } from "./serials.js";
import { loadTransport } from "../transports/index.js";

/** The asking end: a process of its own, which times every answer itself. */
await runEnd<Assignment>(async ({ perSecond: pace, warmUp, count, ...assignment }, bench) => {
  const requester = await (await loadTransport(assignment.transport)).request?.(assignment);
  if (requester === undefined) throw new Error(`${assignment.transport} has no requests`);
  const payloadOf = payloadsOf(assignment.bytes);
  const check = new SerialCheck(warmUp + count);
  // Of those that warm up, too: see Inbox.
  const latenciesNs = new Float64Array(warmUp + count);
  let serial = 0;

  const ask = async () => {
    const own = ++serial;
    const askedNs = nowNs();
    const answer = await requester.request(payloadOf(own));
    const answeredNs = nowNs();
    // An answer to another question counts as what it is: that one twice, and this one never.
    check.arrived(Number(answer.serial));
    latenciesNs[own - 1] = answeredNs - askedNs;
  };
  const askAll = async (many: number, perSecond: number | null) => {
    if (perSecond === null) {
      for (let asked = 0; asked < many; asked++) await ask();
      return;
    }
    const answers: Promise<void>[] = [];
    await paced(many, perSecond, () => void answers.push(ask()));
    await Promise.all(answers);
  };

  await askAll(warmUp, pace && warmUpPace(pace));
  await askAll(count, pace);
  await requester.close();
  bench.tell({ kind: "answered", latenciesNs: latenciesNs.slice(warmUp), losses: check.losses });
});
