import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { HeldProgram } from "./support/held-program.js";
import { FILE, prepared, SETUP } from "./support/prepared-machine.js";
import { assertSame, NEEDS_NAMESPACES, type SandboxMachine } from "./support/sandbox-machine.js";
import { KEYS, NEEDS_SCRIPT, Terminal } from "./support/terminal.js";

const QUESTION = /\[y\/N\] $/;

describe("agentbus setup on a terminal", { skip: NEEDS_NAMESPACES || NEEDS_SCRIPT }, () => {
  test("apply shows its plan, and takes anything but y and yes for no: nothing was changed, and exit code 1", async (context) => {
    const machine = await onPath(context);
    const before = machine.snapshot();
    for (const answer of ["\n", "no\n", "Yess\n", "y e s\n", "\u00FF\x1b[A\n", KEYS.ctrlD]) {
      const terminal = Terminal.open(machine, `agentbus setup apply ${FILE}`, ENV);
      await terminal.shows(QUESTION);
      assert.match(terminal.screen, /^ 1\. create group agents, gid 2000\n {4}\$ groupadd --gid 2000 agents\n/);
      assert.match(terminal.screen, /\nMake these \d+ changes to this machine\? \[y\/N\] $/);
      terminal.type(answer);
      assert.equal(await terminal.ended(), 1, terminal.screen);
      assert.match(terminal.screen, /\nnothing was changed\n$/, JSON.stringify(answer));
    }
    assertSame(machine.snapshot(), before, "nothing is changed");
  });

  test("Ctrl-C at the question, and a window that is closed, change nothing and leave no lock", async (context) => {
    const machine = await onPath(context);
    const before = machine.snapshot();
    const interrupted = Terminal.open(machine, `agentbus setup apply ${FILE}`, ENV);
    await interrupted.shows(QUESTION);
    interrupted.type(KEYS.ctrlC);
    assert.equal(await interrupted.ended(), 130);
    assert.match(interrupted.screen, /\[y\/N\] (?:\^C)?\ninterrupted before an answer: nothing is done\n$/);

    const closed = Terminal.open(machine, `agentbus setup apply ${FILE}; echo > /tmp/goes-on`, ENV);
    await closed.shows(QUESTION);
    assert.equal(machine.run(["test", "-e", "/var/lib/agentbus/setup.lock"]).status, 0);
    closed.close();
    await closed.ended();
    // Its process ends by itself.
    machine.sh("while pgrep -f 'setup [a]pply' > /dev/null; do sleep 0.02; done");
    assertSame(machine.snapshot(), before, "nothing is changed");
    assert.equal(machine.sh("ls -A /var/lib/agentbus"), "");
  });

  test("each step is said when it is done, under the number and the words that the plan gave it", async (context) => {
    const machine = await onPath(context);
    const terminal = Terminal.open(machine, `agentbus setup apply ${FILE}`, ENV);
    await terminal.shows(QUESTION);
    const plan = [...terminal.screen.matchAll(/^( ?\d+)\. (.*)$/gm)].map(([, number, title]) => [number, title]);
    terminal.type("Y\n");
    assert.equal(await terminal.ended(), 0);
    // eslint-disable-next-line no-control-regex
    const done = [...terminal.screen.matchAll(/^\x1b\[32m✓\x1b\[0m ( ?\d+)\/(\d+) (.*)$/gm)];
    assert.ok(plan.length >= 10);
    assert.deepEqual(
      done.map(([, number, , title]) => [number, title]),
      plan,
    );
    assert.deepEqual([...new Set(done.map(([, , total]) => total))], [String(plan.length)]);
    const last = `\nalice has to log in again before it counts\n${plan.length} changes made; to see whether it isolates: agentbus setup verify ${FILE}\n`;
    assert.equal(terminal.screen.slice(-last.length), last);

    const again = Terminal.open(machine, `agentbus setup apply ${FILE}`, ENV);
    assert.equal(await again.ended(), 0);
    assert.equal(again.screen, "nothing to change: all is as the file says\n");
  });

  test("Ctrl-C ends apply between two steps, never within one, and the next goes on from there", async (context) => {
    const machine = await onPath(context);
    const gpasswd = HeldProgram.hold(machine, "/usr/bin/gpasswd");
    const terminal = Terminal.open(machine, `agentbus setup apply ${FILE} --yes`, ENV);
    await gpasswd.reached();
    terminal.type(KEYS.ctrlC);
    await terminal.shows(/ending after this step; the same command goes on from there/);
    gpasswd.letGo();
    assert.equal(await terminal.ended(), 130);
    assert.match(terminal.screen, /add codebot to group agents\n$/);
    assert.match(machine.sh("id -nG codebot"), /agents/);
    assert.equal(machine.run(["test", "-e", "/var/spool/agentbus"]).status, 1);
    const { status, stderr } = machine.setup(["apply", FILE, "--yes"]);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^✓ 1\/\d+ add alice to group agents\n/);
  });

  test("remove shows its plan and asks too, and says at the end where the home is", async (context) => {
    const machine = await onPath(context);
    assert.equal(machine.setup(["apply", FILE, "--yes"]).status, 0);
    const before = machine.snapshot();
    for (const [answer, code] of [
      ["n\n", 1],
      [KEYS.ctrlC, 130],
    ] as const) {
      const refused = Terminal.open(machine, `agentbus setup remove codebot --file ${FILE}`, ENV);
      await refused.shows(/\nRemove codebot\? \[y\/N\] $/);
      refused.type(answer);
      assert.equal(await refused.ended(), code, refused.screen);
    }
    assertSame(machine.snapshot(), before, "nothing is changed");
    const terminal = Terminal.open(machine, `agentbus setup remove --all`, ENV);
    await terminal.shows(/\nRemove all of this\? \[y\/N\] $/);
    terminal.type("yes\n");
    assert.equal(await terminal.ended(), 0, terminal.screen);
    assert.match(
      terminal.screen,
      /\/home\/codebot is in \/var\/lib\/agentbus\/homes\/codebot-\S+\.tar\.gz, for root alone\n\d+ steps done, nothing left to do\n$/,
    );
    assert.equal(machine.run(["id", "codebot"]).status, 1);
  });

  test("where nobody can be asked the error is a command that can be given as it is", async (context) => {
    const machine = await onPath(context);
    const told = (command: string) => {
      const { status, stderr } = machine.run(["sh", "-c", command], { env: ENV });
      assert.equal(status, 2, stderr);
      return /nobody can be asked: .*\n {2}fix: (agentbus .*? --yes)[;,]/.exec(stderr)?.[1] ?? stderr;
    };
    // A question that nobody sees is none.
    const unseen = Terminal.open(machine, `agentbus setup apply ${FILE} --adopt codebot > /tmp/said 2>&1`, ENV);
    assert.equal(await unseen.ended(), 2);
    assert.match(
      machine.sh("tail -2 /tmp/said"),
      /neither stdout nor stderr is a terminal\n {2}fix: agentbus setup apply \S+ --adopt codebot --yes;/,
    );
    const toFile = Terminal.open(machine, `agentbus setup apply ${FILE} > /tmp/plan`, ENV);
    await toFile.shows(QUESTION);
    toFile.type("n\n");
    assert.equal(await toFile.ended(), 1);
    assert.match(machine.sh("cat /tmp/plan"), /^ 1\. /);
    const apply = told(`agentbus setup apply ${FILE}`);
    assert.equal(apply, `agentbus setup apply ${FILE} --yes`);
    assert.equal(machine.run(["sh", "-c", apply], { env: ENV }).status, 0);
    const remove = told(`agentbus setup remove codebot --home delete --file ${FILE}`);
    assert.equal(remove, `agentbus setup remove codebot --home delete --file ${FILE} --yes`);
    assert.equal(machine.run(["sh", "-c", remove], { env: ENV }).status, 0);
    assert.equal(machine.run(["test", "-e", "/home/codebot"]).status, 1);
  });

  test("with --json, where no plan is shown, nobody is asked either: the error is the command that does it, and nothing was tried", async (context) => {
    const machine = await onPath(context);
    const other = "/tmp/other.json";
    const before = machine.snapshot();
    for (const [command, remedy] of [
      [`agentbus setup apply ${FILE} --adopt codebot`, `agentbus setup apply ${FILE} --adopt codebot --yes --json`],
      ["agentbus setup remove --all", "agentbus setup remove --all --yes --json"],
      [
        `agentbus setup remove codebot --home keep --file ${FILE}`,
        `agentbus setup remove codebot --home keep --file ${FILE} --yes --json`,
      ],
      [`agentbus setup add reviewer --file ${other}`, `agentbus setup add reviewer --file ${other} --yes --json`],
    ] as const) {
      const terminal = Terminal.open(machine, `${command} --json`, ENV);
      assert.equal(await terminal.ended(), 2, terminal.screen);
      const { error } = JSON.parse(terminal.screen) as { error: { code: string; message: string; fix: string } };
      assert.deepEqual(error, {
        code: "USAGE",
        message: "with --json the plan is not shown, so nobody can be asked about it",
        fix: `${remedy}; without --json it shows its plan and asks`,
      });
    }
    assertSame(machine.snapshot(), before, "nothing is changed");
    assert.equal(machine.run(["test", "-e", other]).status, 1);
    const applied = machine.run(["sh", "-c", `agentbus setup apply ${FILE} --yes --json`], { env: ENV });
    assert.equal(applied.status, 0, applied.stderr);
    assert.equal((JSON.parse(applied.stdout) as { confirmed: boolean }).confirmed, true);
  });

  test("verify offers to close each home that is open to agents, closes those that somebody says yes to, and removal opens them again", async (context) => {
    const machine = await onPath(context);
    machine.addHuman("bob");
    const humans = { alice: { groups: ["agents"] }, bob: { groups: ["agents"] } };
    machine.write(FILE, JSON.stringify({ ...SETUP, humans }));
    machine.sh("chmod 0755 /home/alice /home/bob");
    assert.equal(machine.setup(["apply", FILE, "--yes"]).status, 0);
    const terminal = Terminal.open(machine, `agentbus setup verify ${FILE}`, ENV);
    await terminal.shows(
      /\n\/home\/alice has mode 0755, so that agents can look into it\. Close it to all but alice\? \[y\/N\] $/,
    );
    terminal.type("no\n");
    await terminal.shows(/\/home\/bob has mode 0755, .* Close it to all but bob\? \[y\/N\] $/);
    terminal.type("YES\n");
    // There was something to find.
    assert.equal(await terminal.ended(), 1);
    assert.match(terminal.screen, /\nclosed \/home\/bob; agentbus setup remove --all gives it mode 0755 again\n$/);
    const modes = () => machine.sh("stat -c '%a %U %n' /home/alice /home/bob");
    assert.equal(modes(), "755 alice /home/alice\n700 bob /home/bob\n");
    assert.match(machine.setup(["apply", FILE, "--yes"]).stderr, /nothing to change/);
    const { status, stdout, stderr } = machine.setup(["remove", "--all", "--yes", "--home", "delete"]);
    assert.equal(status, 0, stderr);
    assert.match(
      stdout,
      /give \/home\/bob its old mode 0755\n {4}\$ chown bob \/home\/bob && chmod 0755 \/home\/bob\n/,
    );
    assert.equal(modes(), "755 alice /home/alice\n755 bob /home/bob\n");
  });
});

const ENV = { PATH: "/mnt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** With the command where it is found. */
async function onPath(context: TestContext): Promise<SandboxMachine> {
  const machine = await prepared(context);
  machine.sh(`mkdir /mnt/bin; ln -s ${machine.agentbus} /mnt/bin/agentbus`);
  return machine;
}
