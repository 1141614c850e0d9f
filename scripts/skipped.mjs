// What the tests have not proven, by the reasons for which they were skipped: reads what node --test prints as "spec".
// With --strict it fails when there is any reason that more than a few machines could do away with.
import { readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";

// What a channel is not made for is skipped on every machine: that says nothing about this one.
const ABOUT_NO_MACHINE = /^the .* has no backpressure$/;
// What hardly a Linux machine has: CONTRIBUTING.md says of each how to get it, or that it takes a Mac.
const RARE = [/^needs a busybox /, /^needs visudo-rs /, /^needs macOS\b/];

const reasons = skippedIn(readFileSync(0, "utf8"));
const list = [...reasons].sort(([a], [b]) => (a < b ? -1 : 1));
if (list.length === 0) {
  console.log("not proven on this machine: nothing, no test was skipped");
} else {
  console.log("not proven on this machine:");
  for (const [reason, number] of list) console.log(`    ${number} skipped: ${reason}`);
}

const unexpected = list.filter(([reason]) => !RARE.some((rare) => rare.test(reason)));
if (process.argv.includes("--strict") && unexpected.length > 0) {
  console.log(`CI_STRICT: all of this has to be proven, except what needs busybox's account tools, sudo-rs or macOS`);
  process.exitCode = 1;
}

/** Each reason with how many tests, or groups of tests, it has kept from running. */
function skippedIn(output) {
  const counts = new Map();
  // The last of what looks like a duration: names of tests may hold anything.
  for (const [, reason] of stripVTControlCharacters(output).matchAll(/^ *﹣ .*\(\d+(?:\.\d+)?ms\) # (.*)$/gm)) {
    if (!ABOUT_NO_MACHINE.test(reason)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return counts;
}
