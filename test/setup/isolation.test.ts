import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { FAMILIES } from "#setup/verify/checks.js";
import { NEEDS_NAMESPACES } from "#setup-test/support/sandbox-machine.js";
import { AgentsMachine, findingsIn } from "./agents-machine.js";
import { ROUNDS } from "./breaks.js";

const APPLIES = /agentbus setup apply /;
const has = (program: string) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

test("there is a way to break what each check guards, which it alone has to find", () => {
  const broken = new Set(ROUNDS.flat().map(({ finds }) => finds.check));
  // Of an installation that agents cannot read: private-install.test.ts
  broken.add("command-usable");
  assert.deepEqual([...broken].sort(), FAMILIES.flatMap(({ checks }) => checks.map(({ id }) => id)).sort());
});

test("what verify finds", { skip: NEEDS_NAMESPACES }, async (context) => {
  const machine = await AgentsMachine.make(context);
  machine.apply();

  await context.test("nothing, where agents are as they were made", () => {
    assert.deepEqual(findingsIn(machine.verify()), []);
  });

  for (const all of ROUNDS) {
    const round = all.filter(({ needs }) => needs === undefined || has(needs[0]));
    for (const { script } of round) machine.sh(`set -e; ${script}`);
    const findings = findingsIn(machine.verify());
    for (const { title, finds, needs } of all) {
      const skip = needs === undefined || has(needs[0]) ? false : `needs ${needs[0]} (Debian: ${needs[1]})`;
      await context.test(title, { skip }, () => {
        const { check, agent, severity = "error" } = finds;
        const found = findings.filter((finding) => finding.check === check && finding.agent === agent);
        assert.ok(
          found.some((finding) => finding.severity === severity),
          `${check} said ${JSON.stringify(found)}`,
        );
        assert.ok(found.every(({ fix, evidence }) => fix !== "" && evidence !== ""));
      });
    }
    await context.test("what follows from that", () => {
      const found = new Set(findings.map(({ check }) => check));
      const wanted = round.flatMap(({ also = [] }) => also).filter((check) => check !== "*");
      assert.deepEqual(
        wanted.filter((check) => !found.has(check)),
        [],
      );
    });
    await context.test("nothing beyond that", () => {
      const expected = new Set(round.flatMap(({ finds, also = [] }) => [finds.check, ...also]));
      const others = findings.filter(({ check }) => check !== "nothing-to-apply" && !expected.has(check));
      if (!expected.has("*")) assert.deepEqual(others, []);
    });
    await context.test("the commands that it gives mend all of it, as they are printed", () => {
      const areFound = new Set(round.map(({ finds }) => finds.check));
      const printed = findings.filter(({ check }) => check !== "nothing-to-apply" || areFound.has(check));
      const fixes = [...new Set(printed.map(({ fix }) => fix))];
      for (const fix of fixes.filter((each) => !APPLIES.test(each))) machine.mend(fix);
      // apply puts right much that it is not printed for, and would hide a command that does nothing.
      const last = fixes.filter((each) => APPLIES.test(each));
      const rest = last.length === 0 ? [] : findingsIn(machine.verify());
      assert.deepEqual(
        rest.filter(({ fix, check }) => !last.includes(fix) && check !== "nothing-to-apply"),
        [],
      );
      for (const fix of last) machine.mend(fix);
      assert.deepEqual(findingsIn(machine.verify()), []);
    });
  }

  await context.test(
    "no command that it gives hands a file of root's to an agent whose environment file leads there",
    () => {
      machine.sh(`
      mkdir /etc/precious && echo > /etc/precious/env
      rm -r /home/codebot/.config/agentbus && sudo -u codebot ln -s /etc/precious /home/codebot/.config/agentbus
    `);
      const found = findingsIn(machine.verify()).filter(({ check }) => check === "environment-file-closed");
      assert.deepEqual(
        found.map(({ agent }) => agent),
        ["codebot"],
      );
      for (const { fix } of found) machine.mend(fix);
      assert.equal(machine.sh("stat -c %U /etc/precious/env"), "root\n");
    },
  );
});
