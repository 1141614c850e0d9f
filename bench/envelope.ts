import { userInfo } from "node:os";
import type { Envelope } from "@agentbus/core";
import { NameSource } from "#core/message-name.js";

export const TOPIC = "bench.latency";

/** What a message carries: enough to notice every loss and every change of order, and when it was sent. */
export interface Payload {
  /** From 1, in the order of sending. */
  readonly serial: string;
  readonly padding: string;
  /** CLOCK_MONOTONIC in nanoseconds (process.hrtime), which all processes of a machine share. */
  readonly sentNs: string;
}

export type BenchEnvelope = Envelope & { readonly data: Payload };

/** Numbers are as wide in every message, so that all envelopes have one size. */
const WIDTH = 20;
const names = new NameSource();
const source = `/agents/${userInfo().username}`;

/** The envelope that agentbus would compose, for peers, which have none of their own. */
export function envelopeOf(data: Payload): BenchEnvelope {
  return {
    specversion: "1.0",
    id: names.ulid(),
    source,
    type: TOPIC,
    time: new Date().toISOString(),
    topic: TOPIC,
    data,
  };
}

/** Makes the payloads of envelopes of exactly `bytes` bytes, each stamped with the time of the call. */
export function payloadsOf(bytes: number): (serial: number) => Payload {
  const overhead = sizeOf(envelopeOf(payload(1, "")));
  if (bytes < overhead) throw new RangeError(`an envelope has at least ${overhead} bytes, so it cannot have ${bytes}`);
  const padding = "x".repeat(bytes - overhead);
  return (serial) => payload(serial, padding);
}

export function sizeOf(envelope: BenchEnvelope): number {
  return Buffer.byteLength(JSON.stringify(envelope));
}

function payload(serial: number, padding: string): Payload {
  return {
    serial: String(serial).padStart(WIDTH, "0"),
    padding,
    sentNs: process.hrtime.bigint().toString().padStart(WIDTH, "0"),
  };
}
