import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { spawnSync } from "node:child_process";
import { NEEDS_NAMESPACES, SandboxMachine } from "./support/sandbox-machine.js";

const NEEDS_SCRIPT = spawnSync("script", ["--version"]).status === 0 ? false : "needs script (util-linux)";

describe("agentbus setup", { skip: NEEDS_NAMESPACES }, () => {
  test("new writes a file that plan takes, and replaces none", async (context) => {
    const machine = await prepared(context);
    assert.equal(machine.setup(["new", "codebot", "reviewer", "--human", "alice", "--file", FILE]).status, 0);
    assert.match(machine.setup(["plan", FILE]).stderr, /^\d+ changes; to do it: agentbus setup apply/);
    const missing = machine.setup(["plan", "/tmp/missing.json"]);
    assert.equal(missing.status, 1);
    assert.match(
      missing.stderr,
      /there is no such file\n {2}fix: agentbus setup new codebot reviewer, which writes one/,
    );
    const again = machine.setup(["new", "codebot", "--file", FILE]);
    assert.deepEqual([again.status, again.stdout], [2, ""]);
    assert.match(again.stderr, /is there already\n {2}fix: agentbus setup add codebot/);
    for (const name of ["root", "-rf", "a b", "../x", "Bad.Name"]) {
      const refused = machine.setup(["new", "--file", "/tmp/other.json", "--", name]);
      assert.equal(refused.status, 1, name);
      assert.match(refused.stderr, /ERR_SETUP_FILE: cannot use the name/, name);
    }
    for (const [names, why] of [
      [["codebot", "codebot"], "it is given twice"],
      [["alice"], "it is the human's; --human names another"],
      [["agents"], "it is the group's, and each agent has a group of its own; --group names another"],
    ] as const) {
      const refused = machine.setup(["new", "--file", "/tmp/other.json", "--human", "alice", ...names]);
      assert.equal(refused.status, 1);
      assert.ok(
        refused.stderr.startsWith(`ERR_SETUP_FILE: cannot use the name "${names[0]}": ${why}\n  fix: `),
        refused.stderr,
      );
    }
    assert.equal(machine.run(["test", "-e", "/tmp/other.json"]).status, 1);
    const nowhere = machine.setup(["new", "codebot", "--file", "/tmp/none/other.json"]);
    assert.equal(nowhere.status, 1);
    assert.equal(
      nowhere.stderr,
      "ERR_SETUP_FILE: cannot write /tmp/none/other.json: its directory does not exist\n  fix: mkdir -p /tmp/none\n",
    );
    const elsewhere = `${process.execPath} ${machine.agentbus} setup new codebot --file /etc/other.json`;
    const forbidden = machine.run(["su", "alice", "-c", elsewhere]);
    assert.equal(forbidden.status, 1);
    assert.match(
      forbidden.stderr,
      /^ERR_SETUP_FILE: cannot write \/etc\/other\.json: this account may not\n {2}fix: look at it/,
    );
  });

  test("everything that is wrong with a file, or in the way of apply, has a line of its own, and below it what mends it", async (context) => {
    const machine = await prepared(context);
    const file = {
      version: 1,
      groups: { agents: { limits: { maxBacklog: "many" } } },
      agents: { "Bad.Name": { groups: [] }, codebot: { groups: ["agents"], umsk: "027" } },
    };
    machine.write(FILE, JSON.stringify(file, undefined, 1));
    const { status, stderr } = machine.setup(["plan", FILE]);
    assert.equal(status, 1);
    assert.deepEqual(stderr.split("\n"), [
      `ERR_SETUP_FILE: cannot use ${FILE}:`,
      "  agentbus.json:6:19: groups.agents.limits.maxBacklog: it is not a whole number",
      "    fix: write a whole number",
      '  agentbus.json:11:3: agents["Bad.Name"]: "Bad.Name" cannot be a name: small letters, digits and hyphens, beginning with a letter, at most 31',
      '    fix: write "bad-name"',
      '  agentbus.json:12:14: agents["Bad.Name"].groups: it is empty',
      "    fix: put something into it",
      "  agentbus.json:18:4: agents.codebot.umsk: there is no such setting",
      '    fix: write "umask"',
      "",
    ]);
    const { stderr: json } = machine.setup(["plan", FILE, "--json"]);
    const { error } = JSON.parse(json) as { error: { code: string; details: { complaints: unknown[] } } };
    assert.deepEqual([error.code, error.details.complaints.length], ["ERR_SETUP_FILE", 4]);

    const agents = { codebot: { groups: ["agents"] }, reviewer: { groups: ["agents"] } };
    machine.write(
      FILE,
      JSON.stringify({ version: 1, humans: { nobodyhere: { groups: ["agents"] } }, groups: { agents: {} }, agents }),
    );
    machine.sh("groupadd -g 41234 agents; mkdir /home/reviewer");
    const refused = machine.setup(["apply", FILE, "--yes"]);
    assert.equal(refused.status, 1);
    assert.deepEqual(refused.stderr.split("\n"), [
      "ERR_SETUP_CONFLICT: cannot apply, and nothing was changed:",
      "  there is a group agents already, gid 41234, and setup did not make it",
      `    fix: if it is meant: agentbus setup apply ${FILE} --adopt agents; removal will leave it there. Or choose another name in ${FILE}`,
      "  /home/reviewer is there before the account, and is uid 0's",
      "    fix: look at it (ls -ld /home/reviewer), and move it away: mv -T /home/reviewer /home/reviewer.old",
      "  there is no account nobodyhere: humans have theirs already",
      `    fix: correct "humans" in ${FILE}`,
      "",
    ]);
    machine.sh("mv -T /home/reviewer /home/reviewer.old");
    for (const [words, code, said] of [
      [["new"], 2, "agentbus: missing required argument 'agent'\n  fix: agentbus setup new --help\n"],
      [["aply"], 2, "agentbus: unknown command 'aply'\n  fix: Did you mean apply?\n"],
      [["plan", "--frmat", "sh"], 2, "agentbus: unknown option '--frmat'\n  fix: Did you mean --format?\n"],
      [
        ["plan", FILE, "another.json"],
        2,
        "agentbus: too many arguments for 'plan'. Expected 1 argument but got 2.\n  fix: agentbus setup plan --help\n",
      ],
      [
        ["remove", "codbot", "--yes"],
        1,
        'ERR_NOT_FOUND: cannot remove "codbot": setup has no such agent on this machine\n  fix: agentbus setup list shows what it has made\n',
      ],
    ] as const) {
      const mistaken = machine.setup(words);
      assert.deepEqual([mistaken.status, mistaken.stderr], [code, said], words.join(" "));
    }
  });

  test("add and remove do one agent, in the file as on the machine, and leave the rest of the file as it was written", async (context) => {
    const machine = await prepared(context);
    const text = `{
  "version": 1,
  "humans": { "alice": { "groups": ["agents"] } },
  "groups": { "agents": {},    "others": {} },
  "agents": {
    "reviewer": { "groups": ["agents"] }
  }
}
`;
    machine.write(FILE, text);
    assert.equal(machine.setup(["add", "codebot", "--file", FILE, "--yes"]).status, 0);
    assert.match(machine.sh(`cat ${FILE}`), /"groups": \{ "agents": \{\}, {4}"others": \{\} \},/);
    assert.match(machine.sh("id codebot"), /agents/);
    const listed = machine.setup(["list", "--json"]).stdout.trim().split("\n");
    const names = listed.map((line) => (JSON.parse(line) as { name: string }).name);
    assert.deepEqual(names, ["codebot", "reviewer"]);
    assert.equal(machine.setup(["remove", "codebot", "--file", FILE, "--yes"]).status, 0);
    assert.equal(machine.sh(`cat ${FILE}`), text);
    assert.match(machine.setup(["apply", FILE, "--yes"]).stderr, /nothing to change/);
  });

  test("apply and remove ask, and do nothing where nobody can answer", async (context) => {
    const machine = await prepared(context);
    machine.setup(["new", "codebot", "--human", "alice", "--file", FILE]);
    const before = machine.snapshot();
    const { status, stderr } = machine.setup(["apply", FILE]);
    assert.equal(status, 2);
    assert.match(
      stderr,
      /nobody can be asked: stdin is no terminal\n {2}fix: agentbus setup apply \S+ --yes; agentbus setup plan/,
    );
    assert.equal(machine.snapshot() === before, true);
    machine.setup(["apply", FILE, "--yes"]);
    assert.equal(machine.setup(["remove", "--all"]).status, 2);
    assert.equal(machine.run(["id", "codebot"]).status, 0);
  });

  test("run ends as its command does, hands arguments on as they are, and gives a clean environment", async (context) => {
    const machine = await prepared(context);
    machine.setup(["new", "codebot", "--human", "alice", "--file", FILE]);
    machine.setup(["apply", FILE, "--yes"]);
    assert.equal(machine.setup(["run", "codebot", "--", "sh", "-c", "exit 7"]).status, 7);
    const echoed = machine.setup(["run", "codebot", "--", "printf", "%s\n", "--json", "a b", "$HOME", "'"]);
    assert.equal(echoed.stdout, "--json\na b\n$HOME\n'\n");
    const env = { SECRET: "root's", SSH_AUTH_SOCK: "/tmp/agent" };
    const { stdout } = machine.setup(["run", "codebot", "--", "sh", "-c", "env; pwd; umask; id"], { env });
    assert.doesNotMatch(stdout, /SECRET|SSH_AUTH_SOCK/);
    assert.match(stdout, /\n\/home\/codebot\n0027\n.*groups=\d+\(codebot\),\d+\(agents\)\n$/);
    const asAlice = `${process.execPath} ${machine.agentbus} setup run codebot -- id -un`;
    assert.equal(machine.must(["su", "alice", "-c", asAlice]), "codebot\n");
    const words = ["--json", "a b", "$HOME", "'", "two\nlines", ""];
    machine.write(
      "/tmp/print",
      `cd ~ && exec ${process.execPath} ${machine.agentbus} setup run codebot -- printf '<%s>' "$@"`,
    );
    const printed = machine.must(["su", "alice", "-s", "/bin/sh", "-c", ". /tmp/print", "--", "sh", ...words]);
    assert.equal(printed, words.map((word) => `<${word}>`).join(""));
    const asIs = machine.must(["su", "alice", "-c", `${asAlice.replace("id -un", "sh -c")} 'env; pwd; umask'`], {
      env,
    });
    assert.doesNotMatch(asIs, /SECRET|SSH_AUTH_SOCK|\/home\/alice/);
    assert.match(asIs, /^HOME=\/home\/codebot$[^]*\n\/home\/codebot\n0027\n$/m);
    machine.addHuman("mallory");
    assert.notEqual(machine.run(["su", "mallory", "-c", asAlice]).status, 0);
  });
});

test(
  "nothing that runs in a session of an agent types into the terminal of whoever has started it",
  { skip: NEEDS_NAMESPACES || NEEDS_SCRIPT },
  async (context) => {
    const machine = await prepared(context);
    machine.setup(["new", "codebot", "--human", "alice", "--file", FILE]);
    machine.setup(["apply", FILE, "--yes"]);
    // TIOCSTI, by the controlling terminal or else by what it was given: says the number of the terminal that took it.
    machine.write(
      "/tmp/push.pl",
      `my $own = open(my $tty, "<", "/dev/tty"); $tty = \\*STDIN unless $own; my $c = "x"; my $pushed = ioctl($tty, 0x5412, $c);
       open(my $stat, "<", "/proc/self/stat"); open(my $to, ">>", "/tmp/pushed");
       print $to $pushed ? $own ? (split / /, <$stat>)[6] : "given" : "refused", "\\n";`,
    );
    machine.sh("touch /tmp/pushed; chmod 0666 /tmp/pushed; echo 'perl /tmp/push.pl; exit' >> /home/codebot/.profile");
    const setup = `${process.execPath} ${machine.agentbus} setup`;
    for (const command of [`${setup} shell codebot`, `${setup} run codebot -- true`]) {
      for (const where of ["", " | cat", " </dev/null", " </dev/null 2>&1 | cat"]) {
        for (const whole of [`${command}${where}`, `su alice -c '${command}${where}'`]) {
          machine.sh(": > /tmp/pushed");
          const { status } = machine.run([
            "timeout",
            "30",
            "script",
            "-qec",
            `cut -d " " -f 7 /proc/$$/stat > /tmp/tty; ${whole}`,
            "/dev/null",
          ]);
          assert.notEqual(status, 124, whole);
          const pushed = machine.sh("cat /tmp/pushed").trim();
          assert.ok(!["", "given", machine.sh("cat /tmp/tty").trim()].includes(pushed), `${whole}: ${pushed}`);
        }
      }
    }
  },
);

const FILE = "/tmp/agentbus.json";

async function prepared(context: TestContext): Promise<SandboxMachine> {
  const machine = await SandboxMachine.make(context);
  machine.addHuman("alice");
  return machine;
}
