import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { FLAVOURS, type Machine } from "#setup/machine.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { examineCommand } from "#setup/sudo/command-path.js";

const NEEDS_ROOT = process.geteuid?.() === 0 ? false : "needs root, whose files these have to be";

describe("what a command of a sudo rule is", { skip: NEEDS_ROOT }, () => {
  let root: string;
  /** Real files, below a directory that takes the place of "/". */
  let machine: Machine;

  before(() => {
    root = fs.mkdtempSync(join(tmpdir(), "abt-command-"));
    const base = new PretendedMachine({ flavour: FLAVOURS.debian });
    machine = Object.create(base, {
      access: { value: "root" },
      stat: { value: (path: string) => fs.lstatSync(join(root, path), { throwIfNoEntry: false }) },
    }) as Machine;
    fs.chmodSync(root, 0o755);
    for (const dir of ["usr", "usr/bin", "opt", "opt/tool", "etc"]) fs.mkdirSync(join(root, dir), { mode: 0o755 });
    program("usr/bin/fine");
    program("usr/bin/vim.basic");
  });
  after(() => fs.rmSync(root, { recursive: true }));

  const program = (path: string, mode = 0o755, uid = 0) => {
    fs.writeFileSync(join(root, path), "#!/bin/false\n");
    fs.chmodSync(join(root, path), mode);
    fs.chownSync(join(root, path), uid, 0);
  };
  const said = (path: string) =>
    examineCommand(machine, path, (link) => fs.readlinkSync(join(root, link)))
      .map(({ problem, remedy }) => `${problem} | ${remedy}`)
      .join("\n");

  test("is nobody's but root's, with all directories above it", () => {
    assert.equal(said("/usr/bin/fine"), "");
  });

  test("is refused where the program is somebody else's, writable for others, no program, or not there", () => {
    program("usr/bin/theirs", 0o755, 1234);
    program("usr/bin/group", 0o775);
    program("usr/bin/world", 0o757);
    program("usr/bin/text", 0o644);
    assert.match(said("/usr/bin/theirs"), /belongs to uid 1234, who can change what root runs \| sudo chown root/);
    assert.match(said("/usr/bin/group"), /mode 0775: its group can change what root runs \| sudo chmod go-w/);
    assert.match(said("/usr/bin/world"), /mode 0757: anybody/);
    assert.match(said("/usr/bin/text"), /not executable/);
    assert.match(said("/usr/bin"), /no program/);
    assert.match(said("/usr/bin/missing"), /there is no such program/);
    assert.match(said("/nowhere/missing"), /\/nowhere does not exist/);
  });

  test("is refused where a directory above it is somebody else's, or others may write there", () => {
    program("opt/tool/run");
    fs.chmodSync(join(root, "opt/tool"), 0o775);
    assert.match(said("/opt/tool/run"), /\/opt\/tool has mode 0775: its group can put another program there/);
    fs.chmodSync(join(root, "opt/tool"), 0o755);
    fs.chownSync(join(root, "opt"), 1234, 0);
    assert.match(said("/opt/tool/run"), /\/opt belongs to uid 1234/);
    fs.chownSync(join(root, "opt"), 0, 0);
    fs.chmodSync(join(root, "opt"), 0o1777);
    assert.equal(said("/opt/tool/run"), "");
    fs.chmodSync(join(root, "opt"), 0o755);
  });

  test("is what links lead to, and the links themselves are looked at", () => {
    fs.symlinkSync("/etc/vi", join(root, "usr/bin/myed"));
    fs.symlinkSync("/usr/bin/vim.basic", join(root, "etc/vi"));
    assert.match(said("/usr/bin/myed"), /is a link to \/usr\/bin\/vim\.basic, .* is root: it writes any file/);

    fs.symlinkSync("../bin/fine", join(root, "usr/bin/alias"));
    assert.equal(said("/usr/bin/alias"), "");
    fs.lchownSync(join(root, "usr/bin/alias"), 1234, 0);
    assert.match(said("/usr/bin/alias"), /\/usr\/bin\/alias belongs to uid 1234, who can put another/);

    fs.symlinkSync("/usr/bin/round", join(root, "usr/bin/circle"));
    fs.symlinkSync("/usr/bin/circle", join(root, "usr/bin/round"));
    assert.match(said("/usr/bin/circle"), /leads in a circle/);

    fs.symlinkSync("/opt/tool", join(root, "usr/dir"));
    program("opt/tool/inside");
    fs.chmodSync(join(root, "opt/tool"), 0o777);
    assert.match(said("/usr/dir/inside"), /\/opt\/tool has mode 0777: anybody/);
    fs.chmodSync(join(root, "opt/tool"), 0o755);
  });
});
