import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { FLAVOURS, type Machine } from "#setup/machine.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { limitsWanted } from "#setup/services/limits-wanted.js";
import { logsCommand } from "#setup/services/service-logs.js";
import { serviceWanted } from "#setup/services/service-wanted.js";
import { systemdUnit } from "#setup/services/systemd-unit.js";
import { execWord } from "#setup/services/unit-words.js";
import { ACCOUNT, servedAgent } from "../support/served-agent.js";

const NEEDS_ANALYZE =
  spawnSync("systemd-analyze", ["--version"]).status === 0 ? false : "needs systemd-analyze (Debian: systemd)";

/** Each of them sets NoNewPrivileges= for a service with User= (systemd.exec(5)), and sudo refuses to work. */
const IMPLY_NO_NEW_PRIVILEGES =
  `SystemCallFilter SystemCallArchitectures SystemCallLog RestrictAddressFamilies RestrictNamespaces
  PrivateDevices ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock MemoryDenyWriteExecute RestrictRealtime
  RestrictSUIDSGID DynamicUser LockPersonality ProtectHostname NoNewPrivileges RestrictFileSystems`.split(/\s+/);

describe("the unit of an agent", () => {
  let dir: string;
  before(() => (dir = fs.mkdtempSync(join(tmpdir(), "abt-unit-"))));
  after(() => fs.rmSync(dir, { recursive: true }));

  const analyze = (unit: string, ...args: string[]) => {
    const path = join(dir, "agentbus-codebot.service");
    fs.writeFileSync(path, unit);
    const { status, stdout, stderr } = spawnSync("systemd-analyze", [...args, path], { encoding: "utf8" });
    return { status, said: stdout + stderr };
  };
  const HOSTILE = [
    "/opt/bot/run it",
    "a b",
    "$HOME ${X} $$",
    "%n %%",
    "\"q\" 'r'",
    "back\\slash\\n",
    "tab\there",
    "line\nbreak",
    ";",
    "",
    "é\u001b",
  ];
  const units = {
    hardened: systemdUnit(servedAgent("hardened"), ACCOUNT),
    sudo: systemdUnit(servedAgent("sudo"), ACCOUNT),
    namespaces: systemdUnit(servedAgent("hardened", { namespaces: true }), ACCOUNT),
    hostile: systemdUnit(
      servedAgent("hardened", { command: HOSTILE as [string, ...string[]], workingDirectory: "/srv/work" }),
      ACCOUNT,
    ),
    unlimited: systemdUnit({ ...servedAgent("sudo"), limits: {} }, ACCOUNT),
  };

  for (const [profile, unit] of Object.entries(units)) {
    test(`is accepted by systemd-analyze verify, without a word: ${profile}`, { skip: NEEDS_ANALYZE }, () => {
      const { status, said } = analyze(unit, "verify", "--man=no", "--recursive-errors=no");
      assert.equal(said, "");
      assert.equal(status, 0);
    });
  }

  test(
    "is rated OK by systemd-analyze security where it is hardened, and better than with sudo",
    { skip: NEEDS_ANALYZE },
    () => {
      const exposure = (unit: string) => {
        const { said } = analyze(unit, "security", "--offline=yes", "--no-pager");
        return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1]);
      };
      assert.ok(exposure(units.hardened) <= 2, String(exposure(units.hardened)));
      assert.ok(exposure(units.namespaces) <= 3, String(exposure(units.namespaces)));
      assert.ok(exposure(units.sudo) > exposure(units.hardened));
    },
  );

  test("with sudo has nothing that implies NoNewPrivileges, and hardened has it", () => {
    for (const key of IMPLY_NO_NEW_PRIVILEGES) assert.doesNotMatch(units.sudo, new RegExp(`^${key}=`, "m"), key);
    assert.match(units.hardened, /^NoNewPrivileges=yes$/m);
  });

  test("limits memory, CPU, tasks, files and their sizes, and sets the umask", () => {
    for (const line of [
      "MemoryMax=2147483648",
      "MemorySwapMax=0",
      "CPUQuota=150%",
      "TasksMax=256",
      "LimitNOFILE=4096",
      "LimitFSIZE=1073741824",
      "UMask=0027",
    ])
      assert.match(units.hardened, new RegExp(`^${line}$`, "m"));
    assert.doesNotMatch(units.unlimited, /Memory|CPUQuota|TasksMax|NOFILE|FSIZE/);
  });

  test("lets namespaces be made only if asked for", () => {
    assert.match(units.hardened, /^RestrictNamespaces=yes$/m);
    assert.doesNotMatch(units.namespaces, /RestrictNamespaces/);
    assert.match(units.namespaces, /^SystemCallFilter=@system-service @mount$/m);
  });

  test("sees its own home, its spools and its working directory, and no other home", () => {
    assert.match(units.hostile, /^ProtectHome=tmpfs\nBindPaths=\/home\/codebot \/srv\/work$/m);
    assert.match(units.hardened, /^ReadWritePaths=\/var\/spool\/agentbus\/agents \/var\/spool\/agentbus\/ops$/m);
  });

  test("never has systemd open the agent's environment file: root would follow its link", () => {
    for (const unit of Object.values(units)) assert.doesNotMatch(unit, /^EnvironmentFile/m);
    assert.match(
      units.hardened,
      /^ExecStart="\/bin\/sh" "-c" ".*" "agentbus-environment" "\/home\/codebot\/\.config\/agentbus\/env" "\/usr\/bin\/node" "agent\.mjs"$/m,
    );
  });

  test("holds every word in quotes, with what systemd would replace doubled", () => {
    assert.equal(execWord("a b"), '"a b"');
    assert.equal(execWord('$HOME 50% "x" \\'), '"$$HOME 50%% \\"x\\" \\\\"');
    assert.equal(execWord("1\n2\t3\u001b"), '"1\\n2\\t3\\x1b"');
    assert.equal(execWord(""), '""');
    assert.throws(() => execWord("\0"), TypeError);
  });
});

describe("what runs an agent", () => {
  const debian = new PretendedMachine({ flavour: FLAVOURS.debian });
  const planned = { agent: servedAgent("hardened"), account: ACCOUNT, exists: false };

  test("is written, loaded, enabled and started in this order, and stopped before it is removed", async () => {
    const { files, commands } = await serviceWanted(planned, debian);
    assert.deepEqual(
      files.map(({ path, mode }) => [path, mode]),
      [["/etc/systemd/system/agentbus-codebot.service", 0o644]],
    );
    assert.deepEqual(
      commands.map(({ argv }) => argv.join(" ")),
      [
        "systemctl daemon-reload",
        "systemctl enable agentbus-codebot.service",
        "systemctl restart agentbus-codebot.service",
      ],
    );
    assert.deepEqual(
      commands.flatMap(({ undo }) => undo?.argv.join(" ") ?? []),
      ["systemctl disable --now agentbus-codebot.service"],
    );
  });

  test("is not started again when it has come to its end, unless it shall always run", async () => {
    const isDone = async (restart: "always" | "on-failure" | "no", said: string) => {
      const machine = Object.create(debian, {
        run: { value: () => Promise.resolve({ status: 0, stdout: said, stderr: "" }) },
      }) as Machine;
      const { commands } = await serviceWanted({ ...planned, agent: servedAgent("hardened", { restart }) }, machine);
      return commands.find(({ id }) => id === "codebot/service-started")?.isDone(machine);
    };
    const never = "ActiveState=inactive\nResult=success\nExecMainStartTimestampMonotonic=0\n";
    const ended = "ActiveState=inactive\nResult=success\nExecMainStartTimestampMonotonic=12\n";
    const failed = "ActiveState=failed\nResult=exit-code\nExecMainStartTimestampMonotonic=12\n";
    const again = "ActiveState=activating\nResult=exit-code\nExecMainStartTimestampMonotonic=12\n";
    assert.deepEqual(await Promise.all([never, ended, failed, again].map((said) => isDone("always", said))), [
      ...[false, false, false, true],
    ]);
    for (const restart of ["on-failure", "no"] as const)
      assert.deepEqual(await Promise.all([never, ended, failed, again].map((said) => isDone(restart, said))), [
        ...[false, true, false, true],
      ]);
  });

  test("is nothing for an agent that only logs in, and a note where nobody could run it", async () => {
    assert.deepEqual(
      (await serviceWanted({ ...planned, agent: { ...planned.agent, service: undefined } }, debian)).files,
      [],
    );
    const { files, notes } = await serviceWanted(planned, new PretendedMachine({ flavour: FLAVOURS.alpine }));
    assert.deepEqual(files, []);
    assert.match(String(notes), /agentbus setup run codebot -- \/usr\/bin\/node agent\.mjs/);
  });

  test("its limits hold in sessions as well: for each process, and for all of the account together", () => {
    const texts = new Map(limitsWanted(planned, debian).files.map(({ path, text }) => [path, text]));
    assert.match(
      texts.get("/etc/security/limits.d/60-agentbus-codebot.conf") ?? "",
      /^codebot hard nproc 256\ncodebot soft nproc 256\ncodebot hard nofile 4096\n.*\ncodebot hard fsize 1048576$/m,
    );
    assert.match(
      texts.get("/etc/systemd/system/user-2000.slice.d/50-agentbus.conf") ?? "",
      /^\[Slice\]\nMemoryHigh=\d+\nMemoryMax=2147483648\nMemorySwapMax=0\nCPUQuota=150%\nTasksMax=256$/m,
    );
    assert.deepEqual(limitsWanted({ ...planned, agent: { ...planned.agent, limits: {} } }, debian).files, []);
  });

  test("leaves its words where the logs command looks", () => {
    assert.deepEqual(logsCommand("codebot", FLAVOURS.debian, { lines: 5, follow: true }), [
      "journalctl",
      "--no-pager",
      "--unit",
      "agentbus-codebot.service",
      "--lines",
      "5",
      "--follow",
    ]);
    assert.deepEqual(logsCommand("codebot", FLAVOURS.darwin)?.slice(3), [
      "sh",
      "-n",
      "100",
      "/Library/Logs/agentbus-codebot.log",
    ]);
    assert.equal(logsCommand("codebot", FLAVOURS.alpine), undefined);
  });

  test("no control character of a log reaches the terminal of whoever looks at it", (context) => {
    const dir = fs.mkdtempSync(join(tmpdir(), "agentbus-logs-"));
    context.after(() => fs.rmSync(dir, { recursive: true }));
    fs.writeFileSync(join(dir, "log"), "first\nsecond \u001b]0;owned\u0007\n");
    const [program = "", ...args] = logsCommand("codebot", FLAVOURS.darwin, { lines: 1 }) ?? [];
    const { stdout } = spawnSync(program, [...args.slice(0, -1), join(dir, "log")], { encoding: "utf8" });
    assert.equal(stdout, "second ^[]0;owned^G\n");
  });
});
