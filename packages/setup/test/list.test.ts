import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { FILE } from "./support/prepared-machine.js";
import { NEEDS_NAMESPACES, SandboxMachine } from "./support/sandbox-machine.js";

const SETUP = {
  version: 1,
  groups: { agents: {}, ops: {} },
  agents: {
    codebot: { groups: ["agents", "ops"] },
    lostbot: { groups: ["agents"] },
    oldbot: { groups: ["agents"] },
  },
};

test(
  "list shows each agent with its uid, groups, processes and home, which were taken over, and which are gone",
  { skip: NEEDS_NAMESPACES },
  async (context) => {
    const machine = await SandboxMachine.make(context);
    const listed = () => {
      const { status, stdout, stderr } = machine.setup(["list"]);
      assert.deepEqual([status, stderr], [0, ""]);
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.trim().split(/ +/).join(" "));
    };
    assert.deepEqual(machine.setup(["list"]), {
      status: 0,
      stdout: "",
      stderr: "setup has made no agents on this machine: agentbus setup new codebot\n",
    });

    machine.sh("useradd --create-home --uid 41500 oldbot");
    machine.write(FILE, JSON.stringify(SETUP));
    machine.must([process.execPath, machine.agentbus, "setup", "apply", FILE, "--yes", "--adopt", "oldbot"]);
    const [codebot, lostbot] = machine.sh("id -u codebot; id -u lostbot").trim().split("\n");
    assert.deepEqual(listed(), [
      "AGENT UID GROUPS PROCESSES HOME ACCOUNT",
      `codebot ${codebot} agents,ops 0 /home/codebot made`,
      `lostbot ${lostbot} agents 0 /home/lostbot made`,
      "oldbot 41500 agents 0 /home/oldbot adopted",
    ]);

    // One that works, and one whose account somebody has removed behind setup's back.
    const session = machine.start([process.execPath, machine.agentbus, "setup", "run", "codebot", "--", "cat"]);
    session.stdin?.write("it runs\n");
    await once(session.stdout ?? session, "data");
    machine.sh("userdel lostbot 2>/dev/null");
    const running = machine.sh("ps -o pid= -U codebot | wc -l").trim();
    assert.notEqual(running, "0");
    assert.deepEqual(listed(), [
      "AGENT UID GROUPS PROCESSES HOME ACCOUNT",
      `codebot ${codebot} agents,ops ${running} /home/codebot made`,
      "lostbot gone - 0 - made",
      "oldbot 41500 agents 0 /home/oldbot adopted",
    ]);

    const records = machine.setup(["list", "--json"]).stdout;
    assert.deepEqual(
      records
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
      [
        {
          name: "codebot",
          uid: Number(codebot),
          groups: ["agents", "ops"],
          home: "/home/codebot",
          processes: Number(running),
          adopted: false,
        },
        { name: "lostbot", uid: null, groups: [], home: null, processes: 0, adopted: false },
        { name: "oldbot", uid: 41500, groups: ["agents"], home: "/home/oldbot", processes: 0, adopted: true },
      ],
    );
    session.stdin?.end();
    await once(session, "close");
  },
);
