import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, test } from "node:test";
import { NEEDS_SYSTEMD, SystemdMachine } from "../support/systemd-machine.js";

/** Answers with what its surroundings are. */
const AGENT = `
import fs from "node:fs";
import { spawnSync } from "node:child_process";
import { openBus } from "file:///mnt/agentbus/packages/core/dist/index.js";
const tried = (action) => { try { action(); return "allowed"; } catch (error) { return error.code; } };
const bus = await openBus({ group: "agents" });
await bus.respond("about", () => ({
  user: process.env.USER, home: process.env.HOME, cwd: process.cwd(), umask: process.umask(), key: process.env.API_KEY, words: process.argv.slice(2),
  etc: tried(() => fs.writeFileSync("/etc/x", "")),
  other: tried(() => fs.readdirSync("/home/alice")),
  homes: fs.readdirSync("/home"),
  own: tried(() => fs.writeFileSync(process.env.HOME + "/x", "")),
  setgid: tried(() => fs.chmodSync(process.env.HOME + "/x", 0o2700)),
  status: fs.readFileSync("/proc/self/status", "utf8").match(/^(?:NoNewPrivs|CapBnd|Seccomp):.*$/gm),
  sudo: spawnSync("sudo", ["-n", "/etc/helper", "verb"], { encoding: "utf8" }),
}));
await bus.publish("@alice", { ready: true });
`;
const WORDS = ["a b", "$HOME ${X} $$", "%n %%", `"q" 'r'`, "back\\slash\\n", ";", "", "é"];

async function prepared(context: Parameters<typeof SystemdMachine.boot>[0], more: object) {
  const machine = await SystemdMachine.boot(context);
  machine.must(["useradd", "--create-home", "--user-group", "alice"]);
  machine.write("/etc/agent.mjs", AGENT);
  machine.write("/etc/helper", "#!/bin/sh\nid -un\n");
  machine.must(["chmod", "755", "/etc/helper"]);
  const service = { command: [process.execPath, "/etc/agent.mjs", ...WORDS], restart: "no" };
  const file = {
    version: 1,
    humans: { alice: { groups: ["agents"] } },
    groups: { agents: {} },
    agents: { codebot: { groups: ["agents"], lifecycle: { service }, ...more } },
  };
  machine.write("/etc/agentbus.json", JSON.stringify(file));
  machine.apply("/etc/agentbus.json");
  machine.must([
    "runuser",
    "-u",
    "codebot",
    "--",
    "sh",
    "-c",
    'echo "API_KEY=sk-1=2" >> ~codebot/.config/agentbus/env',
  ]);
  machine.must(["systemctl", "restart", "agentbus-codebot.service"]);
  const ask = () => {
    const alice = ["runuser", "-u", "alice", "--", process.execPath, machine.agentbus];
    machine.must([...alice, "subscribe", "@alice", "--group", "agents", "--count", "1"]);
    // The first message may be of the start before the key was there, whose responder is gone.
    return JSON.parse(
      machine.must([...alice, "request", "about", "{}", "--group", "agents", "--timeout", "60s"]),
    ) as Record<string, unknown>;
  };
  return { machine, ask };
}

describe("systemd itself", { skip: NEEDS_SYSTEMD }, () => {
  test("runs a hardened agent on the bus: words as written, its key, its home, and nothing else", async (context) => {
    const { machine, ask } = await prepared(context, {});
    const data = ask();
    const { sudo, status, ...rest } = data;
    assert.deepEqual(rest, {
      ...{ user: "codebot", home: "/home/codebot", cwd: "/home/codebot", umask: 0o027, key: "sk-1=2", words: WORDS },
      ...{ etc: "EROFS", other: "ENOENT", homes: ["codebot"], own: "allowed", setgid: "EPERM" },
    });
    assert.deepEqual(status, ["CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]);
    assert.notEqual((sudo as { status: number }).status, 0);

    assert.match(machine.must(["sh", "-c", "ls /var/tmp"]), /agentbus-codebot/, "its private /var/tmp");
    assert.deepEqual(
      fs.readdirSync("/var/tmp").filter((name) => name.includes("agentbus-codebot")),
      [],
      "and none of it on the real machine, where another one's would remove it",
    );

    const second = machine.setup("apply", "--yes", "/etc/agentbus.json");
    assert.equal(second.status, 0, second.stderr);
    assert.match(second.stdout + second.stderr, /nothing/i);
  });

  test("runs an agent with sudo rules in the other profile, where sudo works", async (context) => {
    const { ask } = await prepared(context, { sudo: [{ command: ["/etc/helper", "verb"] }] });
    const data = ask();
    assert.deepEqual([data["other"], data["own"], data["key"], data["words"]], ["ENOENT", "allowed", "sk-1=2", WORDS]);
    const { status, stdout, stderr } = data["sudo"] as { status: number; stdout: string; stderr: string };
    assert.equal(status, 0, stderr);
    assert.equal(stdout.trim(), "root");
  });

  test("keeps what a service has said where setup logs finds it, of that service alone", async (context) => {
    const machine = await SystemdMachine.boot(context);
    machine.must(["systemctl", "start", "systemd-journald.service"]);
    const say = (name: string) => ({
      groups: ["agents"],
      lifecycle: {
        service: { command: ["/bin/sh", "-c", `printf 'one of ${name}\\ntwo \\033[31mred\\n'; exec sleep 100000`] },
      },
    });
    const file = {
      version: 1,
      groups: { agents: {} },
      agents: { codebot: say("codebot"), reviewer: say("reviewer"), idle: { groups: ["agents"] } },
    };
    machine.write("/etc/agentbus.json", JSON.stringify(file));
    machine.apply("/etc/agentbus.json");
    machine.must(["journalctl", "--sync"]);
    const { status, stdout, stderr } = machine.setup("logs", "codebot");
    assert.equal(status, 0, stderr);
    assert.match(stdout, /one of codebot\n/);
    assert.doesNotMatch(stdout, /reviewer/);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout, /\x1b/, "what a terminal would obey is not let through");
    const last = machine.setup("logs", "codebot", "--lines", "1").stdout.trim().split("\n");
    assert.equal(last.length, 1, last.join("\n"));
    const unknown = machine.setup("logs", "nobody");
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /ERR_NOT_FOUND: there is no agent "nobody"/);
  });

  test("has forgotten the agent after its removal, and that it lingers", async (context) => {
    const { machine } = await prepared(context, {});
    const linger = "/var/lib/systemd/linger/codebot";
    machine.must(["sh", "-c", 'mkdir -p "$(dirname "$1")" && touch "$1"', "sh", linger]);
    const { status, stdout, stderr } = machine.setup("remove", "--all", "--yes");
    assert.equal(status, 0, stdout + stderr);
    assert.match(
      machine.run(["systemctl", "show", "--property=LoadState,ActiveState", "agentbus-codebot.service"]).stdout,
      /LoadState=not-found\nActiveState=inactive/,
    );
    assert.equal(machine.run(["test", "-e", linger]).status, 1);
    assert.equal(machine.run(["pgrep", "-u", "2000"]).stdout, "");
    assert.equal(machine.must(["ls", "/etc/systemd/system"]).includes("codebot"), false);
  });
});
