import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILIES } from "#setup/verify/checks.js";
import { AgentsMachine, NEEDS_AGENTS, findingsIn, SETUP } from "./agents-machine.js";
import { ROUNDS } from "./breaks.js";

const APPLIES = /agentbus setup apply /;

test("there is a way to break what each check guards, which it alone has to find", () => {
  const broken = new Set(ROUNDS.flat().map(({ finds }) => finds.check));
  // Of an installation that agents cannot read: private-install.test.ts
  broken.add("command-usable");
  assert.deepEqual([...broken].sort(), FAMILIES.flatMap(({ checks }) => checks.map(({ id }) => id)).sort());
});

test("what verify finds", { skip: NEEDS_AGENTS }, async (context) => {
  const machine = await AgentsMachine.make(context);
  machine.apply();

  await context.test("nothing, where agents are as they were made", () => {
    assert.deepEqual(findingsIn(machine.verify()), []);
  });

  for (const round of ROUNDS) {
    for (const { script } of round) machine.sh(`set -e; ${script}`);
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

  await context.test("processes that an agent can touch and look into, though no list shows why", () => {
    // Accounts of a network, which getent(1) tells of and /etc/passwd does not. Of messages there is nothing to be tried.
    const alone = { groups: ["nowhere"] };
    machine.write({ version: 1, groups: { nowhere: {} }, agents: { codebot: alone, reviewer: alone } });
    machine.sh(`
      set -e
      cp -p /etc/passwd /tmp/passwd
      ids=$(id -u codebot):$(id -g codebot)
      grep -E '^(codebot|reviewer):' /etc/passwd | sed "s/^reviewer:x:[0-9]*:[0-9]*/reviewer:x:$ids/" > /tmp/network
      sed -i -E '/^(codebot|reviewer):/d' /etc/passwd
      printf '#!/bin/sh\\ngrep "^$3:" /tmp/network\\n' > /usr/local/sbin/getent
      chmod 0644 /tmp/network && chmod 0755 /usr/local/sbin/getent
    `);
    const findings = findingsIn(machine.verify());
    machine.sh("rm /usr/local/sbin/getent && cp -p /tmp/passwd /etc/passwd");
    machine.write(SETUP);
    const evidenceOf = (check: string) =>
      findings.find((finding) => finding.check === check && finding.agent === "codebot")?.evidence ?? "";
    assert.match(evidenceOf("accounts-separate"), /uid \d+ is that of codebot, reviewer/);
    assert.match(evidenceOf("processes-untouchable"), /^was allowed: 'process \d+'$/);
    assert.match(evidenceOf("processes-opaque"), /\/environ, \/proc\/\d+\/mem, \/proc\/\d+\/fd, \/proc\/\d+\/cwd$/);
    assert.deepEqual(findingsIn(machine.verify()), []);
  });

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
