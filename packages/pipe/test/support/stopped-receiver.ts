import { PipeArena } from "./pipe-arena.js";
import { until } from "./stage.js";

const BEFORE = 20_000;
const PAD = "p".repeat(1_000);

export interface StoppedRun {
  /** Messages that were accepted after the receiver was stopped. */
  readonly sentWhileStopped: number;
  /** By how much the sender's resident memory grew at the most, over what it had when the receiver was stopped. */
  readonly growthBytes: number;
  readonly isComplete: boolean;
}

/** A sender at full speed, whose receiver is stopped for so long, in milliseconds. */
export async function runAgainstStopped(stoppedMs: number): Promise<StoppedRun> {
  const arena = await PipeArena.open();
  try {
    const receiver = await arena.receiveElsewhere();
    const pipe = await arena.send();
    let sent = 0;
    const ending = new AbortController();
    const sending = (async () => {
      for (; !ending.signal.aborted; sent++) await pipe.send({ sent, pad: PAD });
    })();
    await until(() => sent >= BEFORE, "the sender is at full speed");
    receiver.signal("SIGSTOP");
    const before = process.memoryUsage.rss();
    const sentBefore = sent;
    let most = before;
    const sampling = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 50);
    await new Promise((resolve) => setTimeout(resolve, stoppedMs));
    const sentWhileStopped = sent - sentBefore;
    clearInterval(sampling);
    ending.abort();
    receiver.signal("SIGCONT");
    await sending;
    await until(() => receiver.received.length >= sent, "everything came");
    const isComplete = (receiver.received as { sent: number }[]).every((data, i) => data.sent === i);
    return { sentWhileStopped, growthBytes: most - before, isComplete };
  } finally {
    await arena.close();
  }
}
