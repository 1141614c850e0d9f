import assert from "node:assert/strict";
import { test } from "node:test";
import { NEEDS_NAMESPACES } from "#setup-test/support/sandbox-machine.js";
import { AgentsMachine, findingsIn } from "./agents-machine.js";
import { ROUNDS } from "./breaks.js";

test("what verify finds", { skip: NEEDS_NAMESPACES }, async (context) => {
  const machine = await AgentsMachine.make(context);
  machine.apply();

  await context.test("nothing, where agents are as they were made", () => {
    assert.deepEqual(machine.errors(), []);
  });

  for (const round of ROUNDS) {
    for (const { script } of round) machine.sh(script);
    const findings = findingsIn(machine.verify());
    for (const { title, finds } of round) {
      await context.test(title, () => {
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
      const others = findings.filter(({ check, severity }) => severity === "error" && !expected.has(check));
      if (!expected.has("*")) assert.deepEqual(others, []);
    });
    await context.test("the commands that it gives mend all of it", () => {
      for (const fix of new Set(findings.map((finding) => finding.fix))) machine.mend(fix);
      assert.deepEqual(machine.errors(), []);
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
