import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChannelRefusalReason } from "../channel/channel.js";
import type { ChannelArena, ChannelDriver } from "./driver.js";
import { inArena, Taker } from "./stage.js";

const RANDOM_FRAMES = 10_000;
const NEIGHBOURS_MESSAGES = 200;
const ULID = "01JQ6T8Z1V4M9X7C2B5N8K3D6F";

/** An envelope that would be delivered, apart from what a test changes. */
function envelope({ user }: ChannelArena, changes: Readonly<Record<string, unknown>> = {}): Buffer {
  const time = new Date().toISOString();
  const attributes = { specversion: "1.0", id: ULID, source: `/agents/${user}`, type: "t", time, topic: "t" };
  return Buffer.from(JSON.stringify({ ...attributes, to: `@${user}`, data: 1, ...changes }));
}

interface Attack {
  readonly what: string;
  readonly payload: (arena: ChannelArena) => Buffer;
  readonly reasons: readonly ChannelRefusalReason[];
}

const ATTACKS: readonly Attack[] = [
  { what: "what is not JSON", payload: () => Buffer.from("{never closed"), reasons: ["invalid-json"] },
  { what: "bytes that are no text", payload: () => Buffer.from([0xff, 0xfe, 0xc0, 0x80]), reasons: ["invalid-json"] },
  { what: "JSON that is no envelope", payload: () => Buffer.from(`[1,2,{"three":4}]`), reasons: ["invalid-envelope"] },
  {
    what: "an envelope without an id",
    payload: (arena) => envelope(arena, { id: undefined }),
    reasons: ["invalid-envelope"],
  },
  {
    what: "JSON nested ten thousand levels deep",
    payload: () => Buffer.from("[".repeat(10_000) + "]".repeat(10_000)),
    reasons: ["invalid-json", "too-large"],
  },
  {
    what: "more than the limit",
    payload: (arena) => envelope(arena, { data: "x".repeat(arena.maxEnvelopeBytes) }),
    reasons: ["too-large"],
  },
  {
    what: "a message to somebody else",
    payload: (arena) => envelope(arena, { to: "@somebody-else" }),
    reasons: ["not-for-this-subscription"],
  },
  { what: "more hops than are allowed", payload: (arena) => envelope(arena, { hops: 1_000 }), reasons: ["hops"] },
];

/** Bytes that nobody honest sends: counted with a reason, never delivered, and nobody else's concern. */
export function testHostility(driver: ChannelDriver): void {
  for (const { what, payload, reasons } of ATTACKS) {
    test(`${what} is refused with its reason, and a neighbour's messages pass`, () =>
      besideNeighbour(driver, async (arena, taker) => {
        const intruder = await arena.intruder();
        const refusals = await intruder.send([payload(arena)]);
        await taker.untilRefused(refusals);
        assert.ok(
          (reasons as string[]).includes(taker.refusals[0]?.reason ?? ""),
          `${taker.refusals[0]?.reason}: ${taker.refusals[0]?.detail}`,
        );
      }));
  }

  test("a message in another's name is refused, unless root sent it", () =>
    besideNeighbour(
      driver,
      async (arena, taker) => {
        const intruder = await arena.intruder();
        await intruder.send([envelope(arena, { source: "/agents/somebody-else", data: "forged" })]);
        if (arena.uid === 0) return;
        await taker.untilRefused(1);
        assert.equal(taker.refusals[0]?.reason, "forged-source");
      },
      (data) => data === "forged",
    ));

  test("a sender that is gone in the middle of a frame leaves nothing but a refusal", () =>
    besideNeighbour(driver, async (arena, taker) => {
      const intruder = await arena.intruder();
      const whole = envelope(arena, { data: "p".repeat(1_000) });
      const refusals = await intruder.dieWithin(whole.subarray(0, whole.length / 2));
      await taker.untilRefused(refusals);
      assert.match(taker.refusals[0]?.reason ?? "", /^(?:truncated|invalid-json|bad-frame)$/);
    }));

  test(`${RANDOM_FRAMES} random frames are refused one by one, and a neighbour's messages pass`, () =>
    besideNeighbour(driver, async (arena, taker) => {
      const random = seeded(20_260_131);
      const payloads = Array.from({ length: RANDOM_FRAMES }, (_, i) =>
        randomFrame(random, i % 3 === 0 ? envelope(arena) : undefined),
      );
      const intruder = await arena.intruder();
      const refusals = await intruder.send(payloads);
      await taker.untilRefused(refusals);
      for (const { reason, detail } of taker.refusals) {
        assert.match(reason, /^[a-z-]+$/);
        assert.match(detail, /^[ -~]{1,1000}$/, "for people: bounded, and nothing that a terminal would obey");
      }
    }));
}

/** @param isExpected of what comes besides the neighbour's messages */
async function besideNeighbour(
  driver: ChannelDriver,
  attack: (arena: ChannelArena, taker: Taker) => Promise<void>,
  isExpected: (data: unknown) => boolean = () => false,
): Promise<void> {
  await inArena(driver, async (arena) => {
    const taker = await Taker.open(arena);
    const neighbour = await arena.send();
    await neighbour.send("first");
    const sending = (async () => {
      for (let i = 0; i < NEIGHBOURS_MESSAGES; i++) {
        await neighbour.send(i);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await attack(arena, taker);
    await sending;
    await neighbour.send("last");
    const own = () => taker.data.filter((data) => !isExpected(data));
    while (own().length < NEIGHBOURS_MESSAGES + 2) await taker.until(taker.messages.length + 1);
    // All of them, once each and in their order, whatever comes between them.
    assert.deepEqual(own(), ["first", ...Array.from({ length: NEIGHBOURS_MESSAGES }, (_, i) => i), "last"]);
  });
}

/** Numbers from 0 to below 1 that are the same each time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Noise; or an envelope with a few bytes changed, so that it is none any more. */
function randomFrame(random: () => number, almost: Buffer | undefined): Buffer {
  const below = (count: number) => Math.floor(random() * count);
  const bytes = almost ?? Buffer.from(Array.from({ length: 1 + below(200) }, () => below(256)));
  if (almost !== undefined) {
    for (let i = 0; i < 5; i++) bytes[below(bytes.length)] = below(256);
    // Whatever else came of it, this is no JSON.
    bytes[bytes.length - 1] = 0x5b;
  }
  // A newline would make two of one.
  return Buffer.from(
    bytes.map((byte) => (byte === 0x0a || byte === 0x0d || byte === 0x20 || byte === 0x09 ? 0x2e : byte)),
  );
}
