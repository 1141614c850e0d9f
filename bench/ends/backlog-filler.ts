import { randomBytes } from "node:crypto";
import { closeSync, fchmodSync, linkSync, openSync, readdirSync, unlinkSync, writeSync } from "node:fs";
import { openBus } from "@agentbus/core";
import { BACKLOG_TOPIC, type BacklogAssignment } from "./assignment.js";
import { runEnd } from "./end.js";
import { envelopeOf, payloadsOf, type Payload } from "../envelope.js";
import { pipelined } from "./pipelined.js";

const WINDOW = 1_024;

/** Makes a backlog, while its subscriber is away. A process of its own: that of the bench has to hear signals meanwhile. */
await runEnd<BacklogAssignment>(async ({ spoolDir, bytes, count, isBursts }, bench) => {
  const startedMs = performance.now();
  const payloadOf = payloadsOf(bytes);
  const bus = await openBus({ spool: spoolDir });
  let serial = 0;
  if (isBursts) {
    await pipelined(count, WINDOW, () => bus.publish(BACKLOG_TOPIC, payloadOf(++serial), { mandatory: true }));
  } else {
    const targetDirs = readdirSync(`${spoolDir}/subscriptions`)
      .filter((name) => name.endsWith("~backlog"))
      .map((name) => `${spoolDir}/subscriptions/${name}/new`);
    while (serial < count) post(`${spoolDir}/outbox/${bus.user}`, targetDirs, payloadOf(++serial));
  }
  await bus.drain();
  bench.tell({ kind: "filled", wallMs: performance.now() - startedMs });
});

/**
 * A file for each message, by the protocol, as any program may do without the library. The library makes the same files for
 * messages that come a second apart, which nobody wants to wait for a million times.
 */
function post(outboxDir: string, targetDirs: readonly string[], payload: Payload): void {
  const envelope = envelopeOf(payload, BACKLOG_TOPIC);
  const draftPath = `${outboxDir}/.${envelope.id}`;
  const fd = openSync(draftPath, "wx", 0o640);
  fchmodSync(fd, 0o640);
  writeSync(fd, `${JSON.stringify(envelope)}\n`);
  closeSync(fd);
  const name = `5-${envelope.id}-${randomName()}.json`;
  for (const dir of targetDirs) linkSync(draftPath, `${dir}/${name}`);
  unlinkSync(draftPath);
}

/** 130 bits, in the letters that names have. */
function randomName(): string {
  const letters = "abcdefghijklmnopqrstuvwxyz234567";
  let name = "";
  for (const byte of randomBytes(26)) name += letters.charAt(byte & 31);
  return name;
}
