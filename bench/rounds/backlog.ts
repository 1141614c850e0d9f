import type { BacklogAssignment, Consumed } from "../ends/assignment.js";
import { EndProcess } from "../ends/end-process.js";
import { nowNs } from "../envelope.js";
import type { Leftovers } from "../leftovers.js";
import { peakRssMiB } from "../report/process-activity.js";

/** How long it may take to make a backlog, and to consume it, in milliseconds: a million files on a disk take minutes. */
const FILLING_MS = 1_800_000;
const CONSUMING_MS = 1_800_000;

/** @returns how long it took, in milliseconds */
export async function fillBacklog(assignment: BacklogAssignment, leftovers: Leftovers): Promise<number> {
  const filler = new EndProcess("backlog-filler", leftovers);
  try {
    filler.assign(assignment);
    return (await filler.expect("filled", FILLING_MS)).wallMs;
  } finally {
    await filler.kill();
  }
}

export interface ConsumedBacklog extends Consumed {
  /** Just before its process was forked. */
  readonly startedNs: number;
  readonly rssMiB: number;
}

export async function consumeBacklog(assignment: BacklogAssignment, leftovers: Leftovers): Promise<ConsumedBacklog> {
  const startedNs = nowNs();
  const consumer = new EndProcess("backlog-consumer", leftovers);
  try {
    consumer.assign(assignment);
    const consumed = await consumer.expect("consumed", CONSUMING_MS);
    return { ...consumed, startedNs, rssMiB: peakRssMiB(consumer.pid) };
  } finally {
    await consumer.kill();
  }
}
