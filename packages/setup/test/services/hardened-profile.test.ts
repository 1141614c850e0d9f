import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { systemdUnit } from "#setup/services/systemd-unit.js";
import { NEEDS_NAMESPACES, SandboxMachine, type Ended } from "../support/sandbox-machine.js";
import { servedAgent } from "../support/served-agent.js";

const has = (program: string) => spawnSync(program, ["--version"]).error === undefined;
const NEEDS_TOOLS =
  NEEDS_NAMESPACES ||
  (has("python3") && has("systemd-analyze")
    ? false
    : "needs python3 and systemd-analyze (Debian: systemd), for the system calls of @system-service");
const LAUNCHER = "/mnt/agentbus/packages/setup/test/services/hardened-profile.py";
const UNCONFINABLE = 77;

/** codebot in a group with a spool, and its hardened unit. */
async function confined(context: Parameters<typeof SandboxMachine.make>[0]) {
  const machine = await SandboxMachine.make(context);
  machine.sh("groupadd agents; groupadd ops");
  for (const name of ["codebot", "alice"]) machine.addHuman(name);
  machine.sh(
    "usermod -aG agents,ops codebot; usermod -aG agents alice; chmod 700 /home/*; echo secret > /home/alice/key; mkdir /var/spool/agentbus",
  );
  machine.module(`
    const { createSpool } = await import("file:///mnt/agentbus/packages/core/dist/index.js");
    for (const group of ["agents", "ops"]) await createSpool({ spool: "/var/spool/agentbus/" + group, group, env: {} });
  `);
  const unit = systemdUnit({ ...servedAgent("hardened") }, { name: "codebot", home: "/home/codebot" });
  machine.write("/etc/agentbus-codebot.service", unit);
  const run = (argv: readonly string[]): Ended =>
    machine.run(["python3", LAUNCHER, "/etc/agentbus-codebot.service", ...argv]);
  const node = (code: string) => run([process.execPath, "--input-type=module", "--eval", code]);
  return { machine, run, node };
}

describe("within all that the hardened profile takes away", { skip: NEEDS_TOOLS }, () => {
  test("an agent publishes, subscribes, asks and answers, although it may set no setgid bit", async (context) => {
    const { node } = await confined(context);
    const { status, stdout, stderr } = node(`
      import fs from "node:fs";
      import { openBus } from "file:///mnt/agentbus/packages/core/dist/index.js";
      const bus = await openBus({ group: "agents" });
      const received = [];
      const subscription = await bus.subscribe("build.**", { durable: "ci" });
      const published = await bus.publish("build.done", { commit: "4f2a" });
      await bus.publish("@codebot", { text: "to myself" });
      for await (const message of subscription) {
        received.push(message.data, message.sender.user);
        await message.ack();
        break;
      }
      for await (const message of bus.subscribe("@codebot")) {
        received.push(message.data);
        await message.ack();
        break;
      }
      await bus.respond("math.add", ({ data }) => ({ sum: data.a + data.b }));
      const answer = await bus.request("math.add", { a: 1, b: 2 }, { timeoutMs: 30000 });
      received.push(answer.data);
      await bus.drain();
      const refused = (action) => { try { action(); return "allowed"; } catch (error) { return error.code; } };
      console.log(JSON.stringify({
        received,
        stored: published.subscriptions ?? published.stored,
        setgid: refused(() => fs.chmodSync(".", 0o2700)),
        mkdir: refused(() => fs.mkdirSync("own-setgid", 0o2700)) === "allowed" && (fs.statSync("own-setgid").mode & 0o2000) !== 0,
      }));
    `);
    if (status === UNCONFINABLE) return context.skip(stderr.trim());
    assert.equal(status, 0, stderr);
    const said = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(said["received"], [{ commit: "4f2a" }, "codebot", { text: "to myself" }, { sum: 3 }]);
    assert.equal(said["setgid"], "EPERM");
    assert.equal(said["mkdir"], false);
  });

  test("it sees no other home, writes nowhere but at home, in its spools and in a /tmp of its own, and gains no rights", async (context) => {
    const { run } = await confined(context);
    const { status, stdout, stderr } = run([
      "sh",
      "-c",
      `try() { if eval "$2" >/dev/null 2>&1; then echo "$1 yes"; else echo "$1 no"; fi; }
       try home 'echo x > $HOME/x'
       try tmp 'echo x > /tmp/x'
       try spool 'ls /var/spool/agentbus/agents && ls /var/spool/agentbus/ops'
       try other 'ls /home/alice'
       try etc 'echo x > /etc/x'
       try usr 'echo x > /usr/x'
       try var 'echo x > /var/log/x'
       try shm 'test -w /var/lib'
       try sudo 'sudo -n true'
       try unshare 'unshare --user true'
       try raw 'python3 -c "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)"'
       try inet 'python3 -c "import socket; socket.socket(socket.AF_INET)"'
       try setgid 'chmod g+s $HOME'
       grep -E 'NoNewPrivs|CapBnd|CapEff' /proc/self/status; id -un; umask; pwd`,
    ]);
    if (status === UNCONFINABLE) return context.skip(stderr.trim());
    assert.equal(status, 0, stderr);
    const expected = {
      home: "yes",
      tmp: "yes",
      spool: "yes",
      other: "no",
      etc: "no",
      usr: "no",
      var: "no",
      shm: "no",
      sudo: "no",
      unshare: "no",
      raw: "no",
      inet: "yes",
      setgid: "no",
    };
    const tried = Object.fromEntries(
      [...stdout.matchAll(/^(\w+) (yes|no)$/gm)].map(([, what, outcome]) => [what, outcome]),
    );
    assert.deepEqual(tried, expected);
    assert.match(stdout, /CapEff:\t0+\nCapBnd:\t0+\n[^]*NoNewPrivs:\t1\n[^]*codebot\n0027\n\/home\/codebot\n$/);
  });

  test("what it publishes reaches a member who is not confined, with the group that lets it be read", async (context) => {
    const { machine, run } = await confined(context);
    const command = [process.execPath, machine.agentbus];
    machine.must(["runuser", "-u", "alice", "--", ...command, "publish", "--group", "agents", "warm.up", "{}"]);
    const receiver = machine.start([
      "runuser",
      "-u",
      "alice",
      "--",
      ...command,
      "subscribe",
      "--group",
      "agents",
      "news",
      "--count",
      "1",
      "--json",
    ]);
    let received = "";
    receiver.stdout?.setEncoding("utf8").on("data", (text: string) => (received += text));
    const ended = new Promise((resolve) => receiver.once("exit", resolve));
    for (;;) {
      const { status, stderr } = run([...command, "publish", "--group", "agents", "news", '{"a":1}', "--mandatory"]);
      if (status === UNCONFINABLE) return context.skip(stderr.trim());
      if (status === 0) break;
      assert.match(stderr, /ERR_NO_SUBSCRIPTION/);
    }
    await ended;
    assert.match(
      received,
      /"source":"\/agents\/codebot".*"data":\{"a":1\}|"data":\{"a":1\}.*"source":"\/agents\/codebot"/,
    );
  });
});
