import { openBus } from "@agentbus/core";
import { BACKLOG_NAME, BACKLOG_TOPIC, type BacklogAssignment } from "./assignment.js";
import { runEnd } from "./end.js";
import { nowNs, type BenchEnvelope } from "../envelope.js";
import { SerialCheck, untilQuiet } from "./serials.js";

/** Longer than the first message may take to come, in milliseconds. */
const QUIET_MS = 60_000;

/** A subscriber who comes back, and finds what has piled up. */
await runEnd<BacklogAssignment>(async ({ spoolDir, count }, bench) => {
  const check = new SerialCheck(count);
  let firstHandledNs = 0;
  let lastHandledNs = 0;
  const openedNs = nowNs();
  const bus = await openBus({ spool: spoolDir });
  await bus.subscribe(BACKLOG_TOPIC, { durable: BACKLOG_NAME }, ({ envelope }) => {
    firstHandledNs ||= nowNs();
    check.arrived(Number((envelope as BenchEnvelope).data.serial));
    if (check.isComplete) lastHandledNs = nowNs();
  });
  await untilQuiet([check], count, QUIET_MS);
  await bus.drain();
  bench.tell({
    kind: "consumed",
    openedNs,
    firstHandledNs,
    lastHandledNs: lastHandledNs || nowNs(),
    losses: check.losses,
  });
  await bench.hear();
});
