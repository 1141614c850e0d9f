import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { apply, asCodebot, FILE, prepared, SETUP } from "./support/prepared-machine.js";
import { assertSame, NEEDS_NAMESPACES } from "./support/sandbox-machine.js";

const LEDGER = "/var/lib/agentbus/setup.json";
/** What reads it. */
const COMMANDS = [
  ["plan", FILE],
  ["remove", "--all", "--yes"],
  ["apply", FILE, "--yes"],
  ["list"],
  ["run", "codebot", "--", "true"],
];

describe("setup goes by nothing that somebody else than root could have written", { skip: NEEDS_NAMESPACES }, () => {
  test("neither by a ledger of another account, or that others may write to, nor by one that is a link", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    machine.sh(`cp -a ${LEDGER} /mnt/ledger; cp ${LEDGER} /home/codebot/ledger; chown codebot /home/codebot/ledger`);
    const whole = machine.snapshot();
    for (const [damage, why] of [
      [`chown codebot ${LEDGER}`, /setup\.json belongs to uid \d+, so that somebody else could have written it/],
      [`chmod 0664 ${LEDGER}`, /setup\.json has mode 0664, so that/],
      [`chmod 0646 ${LEDGER}`, /setup\.json has mode 0646, so that/],
      ["chown codebot /var/lib/agentbus", /\/var\/lib\/agentbus belongs to uid \d+, not to root/],
      ["chmod 0777 /var/lib/agentbus", /\/var\/lib\/agentbus may be written to by everybody/],
    ] as const) {
      machine.sh(damage);
      const fixes = new Set<string>();
      for (const command of damage.startsWith("chmod") ? COMMANDS.slice(0, 2) : COMMANDS) {
        const { status, stderr } = machine.setup(command);
        assert.equal(status, 1, `${damage}: ${command.join(" ")}`);
        assert.match(stderr, /^ERR_SETUP_CONFLICT: /);
        assert.match(stderr, why);
        fixes.add(
          /fix: .*: (chown root .*)\. If not, put back/.exec(stderr)?.[1] ?? /fix: (.*)/.exec(stderr)?.[1] ?? "",
        );
      }
      assertSame(machine.snapshot(), whole, damage);
      const mend = [...fixes].find((fix) => fix.startsWith("chown root"));
      machine.sh(mend ?? "false");
      assert.match(apply(machine).stderr, /nothing to change/, damage);
    }
    machine.sh(`ln -sf /home/codebot/ledger ${LEDGER}`);
    const linked = machine.setup(["remove", "--all", "--yes"]);
    assert.match(
      linked.stderr,
      /ERR_SETUP_CONFLICT: cannot use \S+: \S+setup\.json is a symbolic link\n {2}fix: look at/,
    );
    assertSame(machine.snapshot(), whole, "a link");
    machine.sh(`rm ${LEDGER}; cp -a /mnt/ledger ${LEDGER}`);
    assert.match(apply(machine).stderr, /nothing to change/);
  });

  test("a lock is not taken where somebody could have planted a link for root to write through", async (context) => {
    const machine = await prepared(context);
    machine.sh(`useradd -m mallory; install -d -o mallory /var/lib/agentbus; echo precious > /etc/precious
      ln -s /etc/precious /var/lib/agentbus/setup.pid`);
    const { status, stderr } = apply(machine);
    assert.equal(status, 1);
    assert.match(stderr, /^ERR_SETUP_CONFLICT: .*\/var\/lib\/agentbus belongs to uid \d+, not to root/);
    assert.equal(machine.sh("cat /etc/precious"), "precious\n");
    assert.equal(machine.sh("ls -A /var/lib/agentbus").trim(), "setup.pid");
  });

  test("a program of a sudo rule that others may change, alone or by a directory or link above it, stops plan and apply, with what mends it", async (context) => {
    const machine = await prepared(context);
    const tool = "/srv/tools/restart-app";
    machine.sh(`mount -t tmpfs -o mode=755 tmpfs /srv; mkdir /srv/tools; install -m 0755 /bin/true ${tool}`);
    const rule = { command: [tool, "now"] };
    machine.write(FILE, JSON.stringify({ ...SETUP, agents: { codebot: { groups: ["agents"], sudo: [rule] } } }));
    machine.sh(`chmod 0644 ${FILE}`);
    const fresh = machine.snapshot();
    for (const [damage, problem, mend] of [
      [`chmod 0775 ${tool}`, "has mode 0775: its group can change what root runs", `sudo chmod go-w ${tool}`],
      [`chown alice ${tool}`, "belongs to uid \\d+, who can change what root runs", `sudo chown root ${tool}`],
      ["chmod 0757 /srv/tools", "has mode 0757: anybody can put another program there", "sudo chmod go-w /srv/tools"],
      [
        "chown alice /srv/tools",
        "belongs to uid \\d+, who can put another program there",
        "look at it, let root have a copy, and allow that in agentbus.json: sudo mkdir -p /usr/local/libexec/agentbus && sudo install -o root -g 0 -m 0755 /srv/tools/restart-app /usr/local/libexec/agentbus/restart-app",
      ],
      [
        `mv ${tool} ${tool}.away`,
        "cannot be allowed: there is no such program",
        "install it there as root's, or correct the path in agentbus.json; ls -ld /srv/tools",
      ],
    ] as const) {
      machine.sh(damage);
      const planned = machine.run(["su", "alice", "-c", `${process.execPath} ${machine.agentbus} setup plan ${FILE}`]);
      const applied = apply(machine);
      assert.deepEqual([planned.status, applied.status], [1, 1], damage);
      assert.match(planned.stderr, /^1 thing in the way; nothing would be applied\n$/);
      assert.match(
        planned.stdout,
        new RegExp(
          `\\nIn the way, so that nothing would be applied:\\n  codebot shall run ${tool} with sudo: .*${problem}`,
        ),
      );
      assert.ok(planned.stdout.includes(`\n    fix: ${mend}\n`), planned.stdout);
      assert.match(
        applied.stderr,
        new RegExp(`^ERR_SETUP_CONFLICT: cannot apply: codebot shall run ${tool} .*${problem}`),
      );
      assert.ok(applied.stderr.endsWith(`\n  fix: ${mend}\n`), applied.stderr);
      assertSame(machine.snapshot(), fresh, damage);
      machine.sh(
        `chown root /srv/tools; chmod 0755 /srv/tools; test -e ${tool} || mv ${tool}.away ${tool}; chown root ${tool}; chmod 0755 ${tool}`,
      );
    }
    const { status, stderr } = apply(machine);
    assert.equal(status, 0, stderr);
    machine.sh(`chmod 0775 ${tool}`);
    assert.match(apply(machine).stderr, /can change what root runs/, "also when it was applied before");
  });

  test("whoever may not look at what apply would do is told what needs root, and by which command", async (context) => {
    const machine = await prepared(context);
    machine.sh(`chmod 0644 ${FILE}`);
    assert.equal(apply(machine).status, 0);
    machine.sh("useradd -m mallory");
    const asMallory = (words: string) => {
      const command = `PATH=/usr/bin:/bin ${process.execPath} ${machine.agentbus} setup ${words}`;
      return machine.run(["su", "mallory", "-s", "/bin/sh", "-c", command]);
    };
    const before = machine.snapshot();
    const mac = asMallory(`plan ${FILE} --platform darwin`);
    assert.equal(mac.status, 0, mac.stderr);
    assert.match(mac.stdout, /\n {4}\$ dscl \. -create \/Users\/codebot UniqueID 601\n/);
    assert.match(mac.stderr, /^\d+ changes\n$/, "and no command, which would be for this machine");
    assert.match(
      asMallory(`plan ${FILE} --platform darwin --format sh`).stdout,
      /^#!\/bin\/sh\n[^]*\ndscl \. -create /,
    );

    const plan = asMallory(`plan ${FILE}`);
    assert.match(
      plan.stderr,
      /^0 changes, and \d+ of which only root can see whether they are needed; to do it: sudo /,
    );

    const check = asMallory(`sudo-check codebot ${FILE}`);
    assert.equal(check.status, 1);
    assert.match(
      check.stderr,
      new RegExp(
        `^ERR_ACCESS: cannot ask sudo what codebot may do: .*\\n  fix: sudo .*setup sudo-check codebot ${FILE}\\n$`,
      ),
    );
    const typo = asMallory(`sudo-check codbot ${FILE}`);
    assert.equal(typo.status, 2);
    assert.match(typo.stderr, /there is no agent "codbot" in \S+\n {2}fix: choose of codebot\n$/);
    for (const words of [
      `apply ${FILE} --yes`,
      "remove codebot --yes",
      "remove --all",
      "inbox codebot --group agents",
    ]) {
      const { status, stderr } = asMallory(words);
      assert.equal(status, 1, words);
      assert.match(stderr, new RegExp(`ERR_ACCESS: .*\\n  fix: sudo .*agentbus setup ${words.split(" ")[0]}`), words);
      assert.equal(stderr.includes("without root, agentbus setup plan"), words.startsWith("apply"), words);
    }
    // Whose terminal it is does not matter: sudo has no rule for mallory.
    assert.notEqual(asMallory("run codebot -- true").status, 0);
    assertSame(machine.snapshot(), before, "nothing is changed");
    machine.must(asCodebot("true"));
  });
});
