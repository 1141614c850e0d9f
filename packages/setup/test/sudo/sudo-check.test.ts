import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { FLAVOURS } from "#setup/machine.js";
import { parseGrants, parseWeakSettings } from "#setup/sudo/granted.js";
import { sudoersText } from "#setup/sudo/sudoers-text.js";
import type { SudoCheck } from "#setup/sudo/sudo-check.js";
import { NEEDS_NAMESPACES, SandboxMachine } from "../support/sandbox-machine.js";

const NEEDS_SUDO =
  NEEDS_NAMESPACES || (spawnSync("visudo", ["-V"]).error === undefined ? false : "needs visudo (Debian: sudo)");
const DEPLOY = { command: ["/etc/deploy", "site", "a=b"], runAs: "root" } as const;
const OTHER = { command: ["/etc/other"], runAs: "root" } as const;

describe("what sudo says that it grants", () => {
  test("is read with its accounts, groups and options", () => {
    const listing = `Matching Defaults entries for codebot on vm:
    env_reset, secure_path=/usr/sbin\\:/usr/bin, use_pty, !env_keep

User codebot may run the following commands on vm:

Sudoers entry: /etc/sudoers.d/60-agentbus-codebot
    RunAsUsers: root
    Options: !authenticate
    Commands:
\t/usr/bin/id ""
\t/usr/bin/x a\\,b\\:c\\=d

LDAP Role: admins
    RunAsUsers: ALL
    RunAsGroups: ALL
    Options: setenv, !authenticate
    Commands:
\tALL
\t!/bin/sh
`;
    const root = { runAs: "root", needsPassword: false, options: [] };
    const all = { runAs: "ALL:ALL", needsPassword: false, options: ["setenv"] };
    assert.deepEqual(parseGrants(listing), [
      { ...root, command: '/usr/bin/id ""' },
      { ...root, command: "/usr/bin/x a,b:c=d" },
      { ...all, command: "ALL" },
      { ...all, command: "!/bin/sh" },
    ]);
  });

  test("is nothing only where sudo says so", () => {
    assert.deepEqual(parseGrants("User codebot is not allowed to run sudo on vm.\n"), []);
    assert.equal(parseGrants("sudo: a password is required\n"), undefined);
    assert.equal(parseGrants(""), undefined);
  });

  test("counts settings in their order: what a later one takes back is not weak", () => {
    const about = (settings: string) =>
      parseWeakSettings(`Matching Defaults entries for codebot on vm:\n    ${settings}\n\nUser…`);
    assert.deepEqual(about("env_reset, setenv, !setenv, env_keep+=HOME, !env_keep, use_pty"), []);
    assert.deepEqual(about("env_reset, !env_keep, env_keep+=LD_PRELOAD, setenv"), ["env_keep+=LD_PRELOAD", "setenv"]);
    assert.deepEqual(about("!env_reset, !use_pty, !log_allowed, secure_path=/a\\:/b, !secure_path"), [
      "!env_reset",
      "!use_pty",
      "!log_allowed",
      "!secure_path",
    ]);
  });
});

describe("sudo-check", { skip: NEEDS_SUDO }, () => {
  const check = (machine: SandboxMachine, groups: readonly string[] = ["codebot"]) =>
    JSON.parse(
      machine.module(`
        const dist = "file:///mnt/agentbus/packages/setup/dist/";
        const { SystemMachine } = await import(dist + "system-machine.js");
        const { sudoCheck } = await import(dist + "sudo/sudo-check.js");
        const agent = { name: "codebot", sudo: ${JSON.stringify([DEPLOY, OTHER])} };
        console.log(JSON.stringify(await sudoCheck(await SystemMachine.look(), agent, ${JSON.stringify(groups)})));
      `),
    ) as SudoCheck;

  const prepared = async (context: Parameters<typeof SandboxMachine.make>[0]) => {
    const machine = await SandboxMachine.make(context);
    machine.addHuman("codebot");
    machine.sh("for p in deploy other; do printf '#!/bin/sh\\n' > /etc/$p; chmod 755 /etc/$p; done");
    machine.write(
      "/etc/sudoers.d/60-agentbus-codebot",
      sudoersText({ name: "codebot", sudo: [DEPLOY, OTHER] }, [], FLAVOURS.debian),
    );
    machine.sh("chmod 440 /etc/sudoers.d/60-agentbus-codebot");
    return machine;
  };

  test("finds what agentbus.json says, and nothing else, and says how", async (context) => {
    const machine = await prepared(context);
    const { grants, missing, origins, objections, weakSettings, howChecked } = check(machine);
    assert.deepEqual(
      grants.map(({ command, isPolicy }) => [command, isPolicy]),
      [
        ["/etc/deploy site a=b", true],
        ['/etc/other ""', true],
      ],
    );
    assert.deepEqual([missing, origins, objections, weakSettings], [[], [], [], []]);
    assert.match(howChecked.join("\n"), /sudo -n -l -l -U codebot/);
  });

  test("finds what other files, groups, ALL and settings add, and names the lines", async (context) => {
    const machine = await prepared(context);
    machine.sh(`
      groupadd ops; gpasswd -a codebot ops
      printf 'codebot ALL=(ALL) NOPASSWD: /bin/cat *\\n' > /etc/sudoers.d/planted
      printf '%%ops ALL=(root) NOPASSWD: \\\\\\n  /usr/bin/vim\\nDefaults:codebot setenv\\n' > /etc/sudoers.d/zz-team
      printf 'ALL ALL=(root) /bin/true\\n' > /etc/sudoers.d/everybody
      printf 'codebot ALL=(root) NOPASSWD: /bin/ignored\\n' > /etc/sudoers.d/not.read
      chmod 440 /etc/sudoers.d/*`);
    const { grants, origins, weakSettings } = check(machine, ["codebot", "ops"]);
    assert.deepEqual(
      grants
        .filter(({ isPolicy }) => !isPolicy)
        .map(({ runAs, command, needsPassword }) => [runAs, command, needsPassword]),
      [
        ["root", "/bin/true", true],
        ["ALL", "/bin/cat *", false],
        ["root", "/usr/bin/vim", false],
      ],
    );
    assert.deepEqual(
      origins.map(({ path, line, text }) => `${path}:${line}: ${text}`),
      [
        "/etc/sudoers.d/everybody:1: ALL ALL=(root) /bin/true",
        "/etc/sudoers.d/planted:1: codebot ALL=(ALL) NOPASSWD: /bin/cat *",
        "/etc/sudoers.d/zz-team:1: %ops ALL=(root) NOPASSWD: /usr/bin/vim",
      ],
    );
    assert.deepEqual(weakSettings, ["setenv"]);
  });

  test("finds a rule that sudo does not know, a line that was added to the agent's own file, and a program that others may write", async (context) => {
    const machine = await prepared(context);
    machine.sh(`
      sed -i '/other/d' /etc/sudoers.d/60-agentbus-codebot
      printf 'codebot ALL=(root) NOPASSWD: /etc/deploy\\n' >> /etc/sudoers.d/60-agentbus-codebot
      chmod 757 /etc/deploy`);
    const { grants, missing, origins, objections } = check(machine);
    assert.deepEqual(missing, [OTHER]);
    assert.deepEqual(
      grants.map(({ command, isPolicy }) => [command, isPolicy]),
      [
        ["/etc/deploy site a=b", true],
        // Without "": whatever arguments.
        ["/etc/deploy", false],
      ],
    );
    assert.deepEqual(
      origins.map(({ text }) => text),
      ["codebot ALL=(root) NOPASSWD: /etc/deploy"],
    );
    assert.match(
      objections.map(({ problem }) => problem).join(),
      /\/etc\/deploy has mode 0757: anybody can change what root runs/,
    );
  });
});
