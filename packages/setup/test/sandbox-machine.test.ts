import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { NEEDS_NAMESPACES, SandboxMachine } from "./support/sandbox-machine.js";

test(
  "a pretended machine has accounts of its own, and this one none of them",
  { skip: NEEDS_NAMESPACES },
  async (context) => {
    const machine = await SandboxMachine.make(context);
    const before = machine.snapshot();
    machine.addHuman("abtsandbox");
    assert.match(machine.must(["id", "abtsandbox"]), /uid=41/);
    assert.notEqual(machine.snapshot(), before);
    assert.doesNotMatch(fs.readFileSync("/etc/passwd", "utf8"), /abtsandbox/);
    assert.ok(!fs.existsSync("/home/abtsandbox"));
    machine.must(["userdel", "--remove", "abtsandbox"]);
    assert.equal(machine.snapshot(), before);
  },
);
