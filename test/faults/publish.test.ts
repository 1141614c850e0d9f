import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FAULTS, isPossible } from "./faulty-calls.js";
import { PublishArena, type Way } from "./publish-arena.js";

const WAYS: readonly Way[] = [
  { name: "one message, as the first thing that it does", destination: "work.one", before: "nothing" },
  { name: "one message", destination: "work.one" },
  { name: "one message, by a bus that has published before", destination: "work.one", before: "published" },
  { name: "a large message", destination: "work.one", bytes: 300_000 },
  { name: "several in one file", destination: "work.one", together: 4 },
  { name: "with a receipt", destination: "work.one", options: { receipt: true } },
  { name: "synced", destination: "work.one", options: { sync: "data" } },
  { name: "fully synced", destination: "work.one", options: { sync: "full" } },
  { name: "to an inbox", destination: "@", isGroup: true },
];

const total = { count: 0, missed: 0 };

// They mostly wait, until publishers look again.
describe("publishing", { concurrency: true }, () => {
  for (const way of WAYS) describeWay(way);
});

test("most of the calls that were to fail were made", () => {
  assert.ok(total.missed < total.count / 10, `${total.missed} of ${total.count} were not`);
});

function describeWay(way: Way): void {
  const skip = way.isGroup === true && process.geteuid?.() !== 0 && "needs root, to make a group's spool";
  describe(way.name, { skip }, () => {
    const arena = new PublishArena(way);
    before(() => arena.open());
    after(() => arena.close());

    test("whatever call fails, it is refused with a code and a remedy or done, and done for good when repeated", async (context) => {
      const calls = [...(await arena.publishWith(undefined))];
      const failures: string[] = [];
      let count = 0;
      for (const fault of FAULTS) {
        for (let at = 1; at <= calls.length; at++) {
          if (!isPossible(fault, calls[at - 1] ?? "")) continue;
          count++;
          try {
            await arena.publishWith({ fault, at });
          } catch (error) {
            failures.push(`${fault} at ${calls[at - 1]}\n  ${(error as Error).message.replaceAll("\n", "\n  ")}`);
          }
        }
      }
      context.diagnostic(`${count} faults in ${calls.length} calls, ${arena.missed} of them not made that time`);
      total.count += count;
      total.missed += arena.missed;
      await arena.untilNothingIsCounted();
      assert.equal(failures.length, 0, `${failures.length} of ${count}:\n${failures.join("\n")}`);
    });
  });
}
