import { userInfo } from "node:os";
import type { Envelope } from "@agentbus/core";
import { monotonicFactory } from "ulid";

export const TOPIC = "bench.message";

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
/**
 * Nobody guesses these ids, so the cheapest random numbers will do: by default each character of an id takes a call of the system's
 * generator, 80 µs in all, which no peer deserves.
 */
const ulid = monotonicFactory(Math.random);
const source = `/agents/${userInfo().username}`;

/** The envelope that agentbus would compose, for peers, which have none of their own. */
export function envelopeOf(data: Payload, topic = TOPIC): BenchEnvelope {
  return {
    specversion: "1.0",
    id: ulid(),
    source,
    type: topic,
    time: new Date().toISOString(),
    topic,
    data,
  };
}

export function textOf(data: Payload): string {
  return JSON.stringify(envelopeOf(data));
}

export function parseEnvelope(text: string): BenchEnvelope {
  return JSON.parse(text) as BenchEnvelope;
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

export function nowNs(): number {
  return Number(process.hrtime.bigint());
}

function payload(serial: number, padding: string): Payload {
  return {
    serial: String(serial).padStart(WIDTH, "0"),
    padding,
    sentNs: process.hrtime.bigint().toString().padStart(WIDTH, "0"),
  };
}
