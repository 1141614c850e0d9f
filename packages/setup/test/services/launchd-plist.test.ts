import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "plist";
import { launchdPlist } from "#setup/services/launchd-plist.js";
import { ACCOUNT, servedAgent } from "../support/served-agent.js";

const NEEDS_PLISTUTIL =
  spawnSync("plistutil", ["--version"]).error === undefined ? false : "needs plistutil (Debian: libplist-utils)";
const MAC = { ...ACCOUNT, uid: 600, gid: 600, home: "/Users/codebot", shell: "/bin/zsh" };
const HOSTILE: [string, ...string[]] = ["/opt/run", "a b", "<&>\"'", "]]>", "--", "é", "$HOME %n", "line\nbreak"];

describe("the daemon of an agent", () => {
  test("runs as the agent and its groups, with an octal umask, is restarted, and limited", () => {
    const daemon = parse(launchdPlist(servedAgent("hardened"), MAC)) as Record<string, unknown>;
    const limits = { Core: 0, NumberOfProcesses: 256, NumberOfFiles: 4096, FileSize: 1073741824 };
    assert.deepEqual(
      { ...daemon, ProgramArguments: (daemon["ProgramArguments"] as string[]).slice(3) },
      {
        Label: "agentbus.codebot",
        UserName: "codebot",
        GroupName: "codebot",
        InitGroups: true,
        Umask: "027",
        WorkingDirectory: "/Users/codebot",
        ProgramArguments: ["agentbus-environment", "/Users/codebot/.config/agentbus/env", "/usr/bin/node", "agent.mjs"],
        EnvironmentVariables: {
          HOME: "/Users/codebot",
          USER: "codebot",
          LOGNAME: "codebot",
          PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        },
        RunAtLoad: true,
        KeepAlive: true,
        ThrottleInterval: 10,
        ExitTimeOut: 30,
        StandardOutPath: "/Library/Logs/agentbus-codebot.log",
        StandardErrorPath: "/Library/Logs/agentbus-codebot.log",
        SoftResourceLimits: limits,
        HardResourceLimits: limits,
      },
    );
  });

  test("is restarted after a failure only, or never, where the file says so", () => {
    const keepAlive = (restart: "on-failure" | "no") =>
      (parse(launchdPlist(servedAgent("hardened", { restart }), MAC)) as Record<string, unknown>)["KeepAlive"];
    assert.deepEqual(keepAlive("on-failure"), { SuccessfulExit: false });
    assert.equal(keepAlive("no"), false);
  });

  test(
    "is a property list that Apple's format allows, and words come out of it as they went in",
    { skip: NEEDS_PLISTUTIL },
    () => {
      const dir = fs.mkdtempSync(join(tmpdir(), "abt-plist-"));
      try {
        const path = join(dir, "daemon.plist");
        fs.writeFileSync(path, launchdPlist(servedAgent("hardened", { command: HOSTILE }), MAC));
        // Into Apple's binary form and back: what it does not understand does not survive.
        const convert = (from: string, to: string, format: string) => {
          const { status, stderr } = spawnSync("plistutil", ["-i", from, "-o", to, "-f", format], { encoding: "utf8" });
          assert.equal(status, 0, stderr);
        };
        convert(path, join(dir, "binary"), "bin");
        convert(join(dir, "binary"), join(dir, "back"), "xml");
        const daemon = parse(fs.readFileSync(join(dir, "back"), "utf8")) as Record<string, unknown>;
        assert.deepEqual((daemon["ProgramArguments"] as string[]).slice(5), HOSTILE);
        assert.equal(daemon["Umask"], "027");
      } finally {
        fs.rmSync(dir, { recursive: true });
      }
    },
  );
});
