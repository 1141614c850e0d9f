/** What a message carries: enough to notice every loss and every change of order, and when it was sent. */
export interface Payload {
  /** From 1, in the order of sending. */
  readonly serial: string;
  readonly sentNs: string;
  readonly padding: string;
}

export const TOPIC = "bench.message";

/** Numbers are as wide in every message, so that all envelopes have one size. */
const WIDTH = 20;

/** Makes payloads that are stamped with the time of the call. @param bytes of the whole envelope @param user who publishes it */
export function payloadsOf(bytes: number, user: string): (serial: number) => Payload {
  const envelopeOf = envelopesOf(user);
  const padding = "x".repeat(bytes - JSON.stringify(envelopeOf(payload(1, ""))).length);
  return (serial) => payload(serial, padding);
}

/** Composes what agentbus would, for the socket: who compares the two compares envelopes of one shape. */
export function envelopesOf(user: string): (data: Payload) => object {
  return (data) => ({
    specversion: "1.0",
    // As wide as a ULID.
    id: data.serial.padStart(26, "0"),
    source: `/agents/${user}`,
    type: TOPIC,
    time: new Date().toISOString(),
    topic: TOPIC,
    data,
  });
}

/** CLOCK_MONOTONIC, which all processes of a machine share. Exact for 104 days of uptime, then to the next two nanoseconds. */
export function nowNs(): number {
  return Number(process.hrtime.bigint());
}

function payload(serial: number, padding: string): Payload {
  return { serial: widen(serial), padding, sentNs: widen(nowNs()) };
}

function widen(number: number): string {
  return String(number).padStart(WIDTH, "0");
}
