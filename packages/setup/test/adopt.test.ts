import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { BY_HAND, GIVEN_SETUP } from "./support/adopted-account.js";
import { apply, FILE } from "./support/prepared-machine.js";
import { assertSame, NEEDS_NAMESPACES, SandboxMachine, SNAPSHOT } from "./support/sandbox-machine.js";
import { applyStopped, removalStopped, type RoundOfFaults } from "./support/stopped-steps.js";

/** A machine with an account codebot that somebody has made by hand, and has worked in. */
async function withAccount(context: TestContext): Promise<SandboxMachine> {
  const machine = await SandboxMachine.make(context);
  machine.addHuman("alice");
  machine.sh(BY_HAND);
  machine.write(FILE, JSON.stringify(GIVEN_SETUP));
  return machine;
}

function adopt(machine: SandboxMachine): void {
  const { status, stderr } = apply(machine, "--adopt", "codebot", "--adopt", "crew");
  assert.equal(status, 0, stderr);
}

/** @returns what it said */
function remove(machine: SandboxMachine, ...what: string[]): string {
  const { status, stdout, stderr } = machine.setup(["remove", ...what, "--yes"]);
  assert.equal(status, 0, stderr);
  return stdout + stderr;
}

describe("an account that was taken over", { skip: NEEDS_NAMESPACES }, () => {
  test("is given back as it was: shell, groups, home, and what is in it, byte for byte", async (context) => {
    const machine = await withAccount(context);
    const before = machine.snapshot();
    adopt(machine);
    assert.equal(machine.sh("id -gn codebot; getent passwd codebot | cut -d: -f7").trim(), "codebot\n/bin/bash");
    assert.equal(machine.sh("id -Gn codebot").trim(), "codebot crew");
    assert.equal(machine.sh("stat -c '%a %U:%G' /home/codebot").trim(), "700 codebot:codebot");
    const login = machine.must(["su", "-l", "codebot", "-c", "umask; git config user.name"]);
    assert.equal(login.trim(), "0022\nAgent");
    assert.match(apply(machine).stderr, /nothing to change/);
    const said = remove(machine, "--all");
    assertSame(machine.snapshot(), before, "as before");
    assert.doesNotMatch(said, /not setup's doing/);
  });
});

const ROUND = { setup: GIVEN_SETUP, snapshot: SNAPSHOT, adopt: ["codebot", "crew"] };
for (const [name, code] of [
  [
    "taking over that is stopped at any step is finished by the next apply, and given back as it was",
    applyStopped(ROUND),
  ],
  ["giving back that is stopped at any step is finished by the next removal, to what it was", removalStopped(ROUND)],
] as const) {
  test(name, { skip: NEEDS_NAMESPACES }, async (context) => {
    const machine = await withAccount(context);
    const { moments, problems } = JSON.parse(machine.module(code)) as RoundOfFaults;
    assert.deepEqual(problems, []);
    assert.ok(moments >= 28, `only ${moments} places to stop at`);
  });
}
