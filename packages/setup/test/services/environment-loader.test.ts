import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { withEnvironment } from "#setup/services/environment-loader.js";

const SHELLS = ["sh", "bash", "busybox"].filter((shell) => spawnSync(shell, ["-c", "true"]).error === undefined);

describe("the environment file of an agent", () => {
  let dir: string;
  before(() => (dir = fs.mkdtempSync(join(tmpdir(), "abt-env-"))));
  after(() => fs.rmSync(dir, { recursive: true }));

  /** What a command that is started with this file sees, and its arguments. */
  const started = (text: string | undefined, shell = "sh", args: readonly string[] = []) => {
    const path = join(dir, "env");
    fs.rmSync(path, { force: true });
    if (text !== undefined) fs.writeFileSync(path, text);
    const show = "process.stdout.write(JSON.stringify({ env: process.env, args: process.argv.slice(1) }))";
    const [, ...rest] = withEnvironment(path, [process.execPath, "-e", show, "--", ...args]);
    const argv = shell === "busybox" ? ["sh", ...rest] : rest;
    const { stdout, stderr, status } = spawnSync(shell, argv, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] },
    });
    assert.equal(status, 0, stderr);
    const seen = JSON.parse(stdout) as { env: Record<string, string>; args: string[] };
    return { ...seen, stderr };
  };

  for (const shell of SHELLS) {
    test(`is taken literally: nothing in it is run or expanded (${shell})`, () => {
      const { env, stderr } = started(
        `# comment\n\nKEY=sk-123=45==\nQUOTED="two words"\nSINGLE='it is'\nHALF="open\nDOLLAR=$(touch ${dir}/ran) \`id\` $HOME\nBACK=a\\nb\\\\\nEMPTY=\n  SPACES=no\n1BAD=x\nBAD-NAME=x\nno line\nLAST=end`,
        shell,
      );
      assert.equal(env["KEY"], "sk-123=45==");
      assert.equal(env["QUOTED"], "two words");
      assert.equal(env["SINGLE"], "it is");
      assert.equal(env["HALF"], '"open');
      assert.equal(env["DOLLAR"], `$(touch ${dir}/ran) \`id\` $HOME`);
      assert.equal(env["BACK"], "a\\nb\\\\");
      assert.equal(env["EMPTY"], "");
      assert.equal(env["LAST"], "end");
      for (const name of ["SPACES", "1BAD", "BAD-NAME", "_name", "_value", "_line"])
        assert.equal(env[name], undefined, name);
      assert.ok(!fs.existsSync(join(dir, "ran")));
      assert.equal(stderr, "");
    });

    test(`cannot stop the command from starting with names that the shell keeps for itself (${shell})`, () => {
      const { env } = started(
        "UID=0\nEUID=0\nPPID=1\nOPTIND=x\nSHELLOPTS=x\nBASHOPTS=x\nBASH_VERSINFO=x\nIFS=1\n_name=x\n_line=y\nAFTER=yes\n",
        shell,
      );
      assert.equal(env["AFTER"], "yes");
    });
  }

  test("need not be there, and arguments arrive as they are", () => {
    const odd = ["a b", "$HOME", "", "'\"", "%n", "line\nbreak", "-x"];
    assert.deepEqual(started(undefined, "sh", odd).args, odd);
    assert.deepEqual(started("A=1\n", "sh", odd).args, odd);
  });
});
