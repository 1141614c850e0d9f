import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FLAVOURS, type Flavour } from "#setup/machine.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import type { SudoRule } from "#setup/setup.js";
import { FIRST_SUDO_RS, isSudoRsFrom, sudoRsVersion } from "#setup/sudo/sudo-rs-version.js";
import { sudoersPath, sudoersText } from "#setup/sudo/sudoers-text.js";
import { sudoWanted } from "#setup/sudo/sudo-wanted.js";
import { NEEDS_NAMESPACES, SandboxMachine } from "../support/sandbox-machine.js";

/** An unknown version of it. */
const UBUNTU: Flavour = { ...FLAVOURS.debian, sudo: "sudo-rs" };
const RULES: readonly SudoRule[] = [
  { command: ["/usr/bin/systemctl", "restart", "myapp.service"], runAs: "root" },
  { command: ["/usr/local/libexec/agentbus/priv", "rotate-logs"], runAs: "root" },
  { command: ["/usr/local/sbin/deploy"], runAs: "www-data" },
];
const AGENT = { name: "codebot", groups: ["agents"], sudo: RULES };
const ANNA = { name: "anna", groups: ["agents"] };

const askVersion = (program: string) => spawnSync(program, ["--version"], { encoding: "utf8" });
const NEEDS_VISUDO = askVersion("visudo").error === undefined ? false : "needs visudo (Debian: sudo)";
const VISUDO_RS = askVersion("visudo-rs");
const VISUDO_RS_VERSION =
  VISUDO_RS.error === undefined ? sudoRsVersion(VISUDO_RS.stdout + VISUDO_RS.stderr) : undefined;
const NEEDS_VISUDO_RS =
  VISUDO_RS_VERSION !== undefined && isSudoRsFrom(VISUDO_RS_VERSION, FIRST_SUDO_RS)
    ? false
    : `needs visudo-rs from ${FIRST_SUDO_RS.join(".")} on (Debian 13: sudo-rs), and here is ${VISUDO_RS_VERSION?.join(".") ?? "none"}`;
const NEEDS_SUDO = NEEDS_NAMESPACES || NEEDS_VISUDO;

describe("the sudoers file of an agent", () => {
  test("says what it may do, one line for each invocation, and who may become it", () => {
    assert.equal(
      sudoersText(AGENT, ["anna"], FLAVOURS.debian),
      `# Managed by agentbus: \`agentbus setup apply\` writes this file again. Change agentbus.json instead.

Defaults:codebot use_pty, log_allowed, !setenv, !env_keep, timestamp_timeout=0
Defaults:codebot secure_path="/usr/sbin:/usr/bin:/sbin:/bin"
codebot ALL=(root) NOPASSWD: /usr/bin/systemctl restart myapp.service
codebot ALL=(root) NOPASSWD: /usr/local/libexec/agentbus/priv rotate-logs
codebot ALL=(www-data) NOPASSWD: /usr/local/sbin/deploy ""

Defaults>codebot use_pty, log_allowed, env_keep-="HOME MAIL SSH_AUTH_SOCK EDITOR VISUAL DISPLAY XAUTHORITY XAUTHORIZATION"
anna ALL=(codebot) NOPASSWD: ALL
`,
    );
  });

  test("leaves out the settings that sudo-rs does not know", () => {
    const text = sudoersText(AGENT, ["anna"], UBUNTU);
    assert.doesNotMatch(text, /log_allowed|setenv/);
    assert.match(text, /use_pty, !env_keep, timestamp_timeout=0/);
    for (const [version, flags] of [
      [[0, 2, 5], "use_pty, !env_keep,"],
      [[0, 2, 6], "use_pty, !setenv, !env_keep,"],
      [[0, 2, 14], "use_pty, !setenv, !env_keep,"],
      [[0, 3, 0], "use_pty, !setenv, !env_keep,"],
      [[1, 0, 0], "use_pty, !setenv, !env_keep,"],
    ] as const)
      assert.ok(
        sudoersText(AGENT, ["anna"], { ...UBUNTU, sudoRsVersion: version }).includes(`Defaults:codebot ${flags} `),
        version.join("."),
      );
  });

  test("is in the way where sudo-rs is too old to read it, before anything is done", () => {
    const problems = (version: readonly [number, number, number]) =>
      sudoWanted(AGENT, [ANNA], new PretendedMachine({ flavour: { ...UBUNTU, sudoRsVersion: version } }))
        .conflicts?.filter(({ id }) => id === "codebot/sudo/version")
        .map(({ problem }) => problem);
    const [said] = problems([0, 2, 3]) ?? [];
    assert.equal(said, "sudo-rs 0.2.3 knows no settings of one account, which the sudo rules of codebot need");
    assert.deepEqual(problems([0, 1, 9])?.length, 1);
    assert.deepEqual(problems([0, 2, 4]), []);
  });

  test("is called what sudo reads, is 0440, and is looked at before and after it counts", () => {
    const [file] = sudoWanted(
      AGENT,
      [ANNA, { name: "bert", groups: ["others"] }],
      new PretendedMachine({ flavour: FLAVOURS.darwin }),
    ).files;
    assert.ok(file);
    assert.equal(file.path, "/private/etc/sudoers.d/60-agentbus-codebot");
    assert.doesNotMatch(sudoersPath("a-b", "linux"), /\.[^/]*$|~$|[^/]*\.[^/]*-/);
    assert.equal(file.mode, 0o440);
    assert.deepEqual(file.check, ["visudo", "-c", "-O", "-P", "-f", "{}"]);
    assert.deepEqual(file.checkWhole, ["visudo", "-c"]);
    assert.match(file.text, /^anna ALL=\(codebot\)/m);
    assert.doesNotMatch(file.text, /bert/);
  });

  test("is not there where it would say nothing, and where there is no sudo", () => {
    assert.deepEqual(
      sudoWanted({ ...AGENT, sudo: [] }, [], new PretendedMachine({ flavour: FLAVOURS.debian })).files,
      [],
    );
    assert.deepEqual(sudoWanted(AGENT, [ANNA], new PretendedMachine({ flavour: FLAVOURS.alpine })).files, []);
    assert.equal(
      sudoWanted({ ...AGENT, sudo: [] }, [ANNA], new PretendedMachine({ flavour: FLAVOURS.debian })).files.length,
      1,
    );
  });

  for (const [name, program, flavour, skip] of [
    ["sudo", "visudo", FLAVOURS.debian, NEEDS_VISUDO],
    ["macOS's sudo", "visudo", FLAVOURS.darwin, NEEDS_VISUDO],
    [
      "sudo-rs",
      "visudo-rs",
      { ...UBUNTU, ...(VISUDO_RS_VERSION && { sudoRsVersion: VISUDO_RS_VERSION }) },
      NEEDS_VISUDO_RS,
    ],
  ] as const) {
    test(
      `is what ${name} takes, with the rights that it has`,
      { skip: skip || (process.geteuid?.() === 0 ? false : "needs root, whose file it has to be") },
      () => {
        const dir = fs.mkdtempSync(join(tmpdir(), "abt-sudoers-"));
        try {
          const path = join(dir, ".staged");
          const odd: SudoRule = {
            command: [
              "/usr/local/sbin/deploy",
              "--to=a:1,b",
              "#3",
              "50%",
              "it's",
              "@x",
              "~",
              "{a}",
              "$(id)",
              "a^b",
              ";",
              "&",
              "|",
              "<>",
            ],
            runAs: "root",
          };
          fs.writeFileSync(path, sudoersText({ ...AGENT, sudo: [...RULES, odd] }, ["anna", "b.ert-2"], flavour));
          fs.chmodSync(path, 0o440);
          const { status, stdout, stderr } = spawnSync(program, ["-c", "-O", "-P", "-f", path], { encoding: "utf8" });
          assert.equal(status, 0, stdout + stderr);
        } finally {
          fs.rmSync(dir, { recursive: true });
        }
      },
    );
  }
});

describe("a plan for a machine with sudo-rs", { skip: NEEDS_SUDO }, () => {
  test("is for the version that is there", async (context) => {
    const machine = await SandboxMachine.make(context);
    const file = {
      version: 1,
      groups: { agents: {} },
      agents: { codebot: { groups: ["agents"], sudo: [{ command: ["/usr/bin/systemctl", "restart", "x.service"] }] } },
    };
    machine.write("/tmp/agentbus.json", JSON.stringify(file));
    machine.write("/mnt/sudo", '#!/bin/sh\necho "sudo-rs $(cat /mnt/version)" >&2\n');
    machine.sh("chmod 0755 /mnt/sudo; mount --bind /mnt/sudo /usr/bin/sudo");
    const plan = (version: string) => {
      machine.write("/mnt/version", version);
      const { stdout, stderr } = machine.setup(["plan", "/tmp/agentbus.json"]);
      return stdout + stderr;
    };
    assert.match(plan("0.2.8-1ubuntu5"), /Defaults:codebot use_pty, !setenv, !env_keep/);
    assert.match(plan("0.2.5"), /Defaults:codebot use_pty, !env_keep/);
    assert.match(plan("next"), /Defaults:codebot use_pty, !env_keep/);
    assert.match(plan("0.2.3"), /sudo-rs 0\.2\.3 knows no settings .*\n +fix: update it: sudo-rs 0\.2\.4/);
  });
});

describe("sudo, reading that file", { skip: NEEDS_SUDO }, () => {
  test("allows exactly what is written: not one word more, less or other, and nobody else", async (context) => {
    const machine = await SandboxMachine.make(context);
    machine.addHuman("codebot");
    machine.addHuman("reviewer");
    machine.addHuman("anna");
    machine.sh("for p in deploy other; do printf '#!/bin/sh\\nid -un; env\\n' > /etc/$p; chmod 755 /etc/$p; done");
    const odd: [string, ...string[]] = [
      "/etc/deploy",
      "--to=a:1,b",
      "#3",
      "50%",
      "it's",
      "{a}",
      "$(id)",
      "a^b",
      ";",
      "&",
    ];
    const rules: SudoRule[] = [
      { command: ["/etc/deploy", "site", "now"], runAs: "root" },
      { command: odd, runAs: "root" },
      { command: ["/etc/other"], runAs: "root" },
    ];
    machine.write(
      "/etc/sudoers.d/60-agentbus-codebot",
      sudoersText({ name: "codebot", sudo: rules }, ["anna"], FLAVOURS.debian),
    );
    machine.sh("chmod 440 /etc/sudoers.d/60-agentbus-codebot; visudo -c");
    const may = (user: string, command: readonly string[], as: readonly string[] = []) =>
      machine.run(["runuser", "-u", user, "--", "sudo", "-n", ...as, "-l", "--", ...command]).status === 0;

    assert.ok(may("codebot", ["/etc/deploy", "site", "now"]));
    assert.ok(may("codebot", odd));
    assert.ok(may("codebot", ["/etc/other"]));
    for (const command of [
      ["/etc/deploy"],
      ["/etc/deploy", "site"],
      ["/etc/deploy", "site", "now", "more"],
      ["/etc/deploy", "site", "Now"],
      ["/etc/deploy", "site", ""],
      [...odd, "x"],
      odd.slice(0, -1),
      odd.map((word) => (word === "#3" ? "" : word)),
      ["/etc/other", "x"],
      ["/etc/other", ""],
      ["/bin/sh"],
      ["/etc/../etc/deploy", "site", "now", "x"],
    ])
      assert.ok(!may("codebot", command), command.join(" "));
    assert.ok(!may("codebot", ["/etc/deploy", "site", "now"], ["-u", "anna"]));
    assert.ok(!may("reviewer", ["/etc/deploy", "site", "now"]));
    assert.ok(may("anna", ["/bin/sh"], ["-u", "codebot"]));
    assert.ok(!may("anna", ["/bin/sh"]));
    assert.ok(!may("anna", ["/bin/sh"], ["-u", "reviewer"]));

    // Really run: as root, and nothing of the agent's environment with it.
    const ran = machine.run([
      "runuser",
      "-u",
      "codebot",
      "--",
      "env",
      "DISPLAY=:7",
      "LD_PRELOAD=/x",
      "EDITOR=evil",
      "sudo",
      "-n",
      "/etc/deploy",
      "site",
      "now",
    ]);
    assert.equal(ran.status, 0, ran.stderr);
    assert.match(ran.stdout, /^root$/m);
    assert.doesNotMatch(ran.stdout, /DISPLAY|LD_PRELOAD|EDITOR|PATH=.*local/);
    const set = machine.run([
      "runuser",
      "-u",
      "codebot",
      "--",
      "sudo",
      "-n",
      "LD_PRELOAD=/x",
      "/etc/deploy",
      "site",
      "now",
    ]);
    assert.notEqual(set.status, 0);
  });
});
