import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS, isPossible, type Fault, type Mishap } from "./faulty-calls.js";
import { SettleArena, type Deed } from "./settle-arena.js";

/** Consumers wait a second after a failure, so many of them wait at the same time. */
const AT_ONCE = 40;
/** One that lasts as long as the disk is full, and one that means nothing in particular. */
const TYPICAL: readonly Fault[] = ["ENOSPC", "EIO"];

/**
 * A test for each deed: plays it again and again, with another call failing in another way each time. Of all but the first only the calls
 * that the ones before did not make, and only typical faults, unless all are asked for.
 */
export function testEveryFault(deeds: readonly Deed[], { all = false }: { readonly all?: boolean } = {}): void {
  const seen = new Set<string>();
  const total = { mishaps: 0, missed: 0 };
  for (const deed of deeds) {
    const faults = all || deed === deeds[0] ? FAULTS : TYPICAL;
    test(`whatever call fails, every message is handled in the end, and none twice: ${deed.name}`, async (context) => {
      const clean = new SettleArena(deed);
      await clean.play(undefined);
      const chosen = numbered(clean.calls).filter(({ key }) => all || !seen.has(key));
      for (const { key } of chosen) seen.add(key);
      const mishaps = faults.flatMap((fault) =>
        chosen.flatMap(({ name, at }) => (isPossible(fault, name) ? [{ fault, at }] : [])),
      );
      const { failures, missed } = await playAll(deed, mishaps);
      context.diagnostic(`${mishaps.length} faults in ${chosen.length} calls, ${missed} not made that time`);
      assert.equal(failures.length, 0, `${failures.length} of ${mishaps.length}:\n${failures.join("\n")}`);
      total.mishaps += mishaps.length;
      total.missed += missed;
    });
  }
  test("most of the calls that were to fail were made", () => {
    assert.ok(total.missed <= total.mishaps / 5, `${total.missed} of ${total.mishaps} were not`);
  });
}

/** The calls, each with its place among all and a name that is its own. */
function numbered(calls: readonly string[]): { name: string; at: number; key: string }[] {
  const counts = new Map<string, number>();
  return calls.map((name, index) => {
    const nth = (counts.get(name) ?? 0) + 1;
    counts.set(name, nth);
    return { name, at: index + 1, key: `${name} ${nth}` };
  });
}

async function playAll(
  deed: Deed,
  mishaps: readonly Mishap[],
): Promise<{ failures: readonly string[]; missed: number }> {
  const failures: string[] = [];
  let missed = 0;
  const left = [...mishaps];
  const work = async () => {
    for (let mishap = left.shift(); mishap !== undefined; mishap = left.shift()) {
      const arena = new SettleArena(deed);
      try {
        await arena.play(mishap);
        if (arena.struck === undefined) missed++;
      } catch (error) {
        const { stack = "" } = error as Error;
        failures.push(`${mishap.fault} at ${arena.struck}\n  ${stack.replaceAll("\n", "\n  ")}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { failures, missed };
}
