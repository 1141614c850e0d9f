import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { nodeFileSystem } from "#core/file-system.js";
import { makeDirectory } from "#core/make-directory.js";
import { octal } from "#core/permissions.js";

const FILTER = fileURLToPath(new URL("../../test/support/restrict-suid-sgid.py", import.meta.url));
const MODULE = new URL("../../dist/", import.meta.url).href;
const UMASKS = [0o000, 0o002, 0o022, 0o027, 0o077];
const MODES = [0o700, 0o755, 0o2700, 0o2750, 0o2770, 0o3730, 0o3770];

let dir: string;
let parent: string;

before(() => {
  dir = fs.mkdtempSync(join(tmpdir(), "agentbus-make-"));
  parent = join(dir, "setgid");
  fs.mkdirSync(parent);
  fs.chmodSync(parent, 0o2755);
});
after(() => fs.rmSync(dir, { recursive: true }));

describe("makeDirectory", () => {
  test("gives exactly the mode asked for, whatever the umask, in a setgid directory and in a plain one", () => {
    for (const place of [dir, parent]) {
      for (const umask of UMASKS) {
        for (const mode of MODES) {
          const path = join(place, `${octal(umask)}-${octal(mode)}`);
          withUmask(umask, () => makeDirectory(nodeFileSystem, path, mode));
          assert.equal(octal(fs.statSync(path).mode), octal(mode), path);
        }
      }
    }
  });

  test("never gives more rights on the way than in the end", () => {
    const seen: number[] = [];
    const path = join(parent, "on-the-way");
    const watching = {
      ...nodeFileSystem,
      fchmod: (fd: number, mode: number) => {
        seen.push(fs.fstatSync(fd).mode & 0o777);
        nodeFileSystem.fchmod(fd, mode);
      },
    };
    withUmask(0o027, () => makeDirectory(watching, path, 0o3730));
    assert.deepEqual(seen.map(octal), ["0710"]);
  });

  test("who swaps it for a symbolic link on the way gains nothing", () => {
    const [path, victim] = [join(parent, "swapped"), join(dir, "victim")];
    fs.mkdirSync(victim, { mode: 0o700 });
    const swapping = {
      ...nodeFileSystem,
      open: (...args: Parameters<typeof nodeFileSystem.open>) => {
        fs.rmdirSync(path);
        fs.symlinkSync(victim, path);
        return nodeFileSystem.open(...args);
      },
    };
    assert.throws(() => withUmask(0o077, () => makeDirectory(swapping, path, 0o3770)), { code: "ENOTDIR" });
    assert.equal(octal(fs.statSync(victim).mode), "0700");
  });

  test("says EEXIST for what is there, a dangling symbolic link too, and leaves it alone", () => {
    const [there, link] = [join(dir, "there"), join(dir, "link")];
    fs.mkdirSync(there, 0o700);
    fs.symlinkSync(join(dir, "nowhere"), link);
    assert.throws(() => makeDirectory(nodeFileSystem, there, 0o2750), { code: "EEXIST" });
    assert.throws(() => makeDirectory(nodeFileSystem, link, 0o2750), { code: "EEXIST" });
    assert.equal(octal(fs.statSync(there).mode), "0700");
    assert.equal(fs.existsSync(join(dir, "nowhere")), false);
  });

  test("works under RestrictSUIDSGID, whatever the umask", (t) => {
    const result = restricted(`
      import { makeDirectory } from "${MODULE}make-directory.js";
      import { nodeFileSystem } from "${MODULE}file-system.js";
      import fs from "node:fs";
      for (const umask of ${JSON.stringify([...UMASKS, 0o777])}) {
        process.umask(umask);
        for (const mode of ${JSON.stringify(MODES)}) {
          const path = ${JSON.stringify(parent)} + "/restricted-" + umask + "-" + mode;
          makeDirectory(nodeFileSystem, path, mode);
          const actual = fs.statSync(path).mode & 0o7777;
          if (actual !== mode) throw new Error(path + " has " + actual.toString(8));
        }
      }
      try { fs.mkdirSync(${JSON.stringify(parent)} + "/refused", 0o2770); } catch (error) { console.log(error.code); }
    `);
    if (result === undefined) return t.skip("needs python3 and seccomp on x86-64 or arm64");
    assert.equal(result.stdout.trim(), "EPERM", `the filter is in force; ${result.stderr}`);
    return undefined;
  });

  test("leaves nothing behind when the mode cannot be had, and says what to do", (t) => {
    const path = join(dir, "impossible");
    const result = restricted(`
      import { makeDirectory } from "${MODULE}make-directory.js";
      import { nodeFileSystem } from "${MODULE}file-system.js";
      try { makeDirectory(nodeFileSystem, ${JSON.stringify(path)}, 0o3770); }
      catch (error) { console.log(error.code, error.message, error.fix); }
    `);
    if (result === undefined) return t.skip("needs python3 and seccomp on x86-64 or arm64");
    assert.match(result.stdout, /^ERR_ACCESS cannot make .*impossible with mode 3770: it gets 1770, .*UMask=0007/);
    assert.equal(fs.existsSync(path), false);
    return undefined;
  });
});

function withUmask(umask: number, action: () => void): void {
  const old = process.umask(umask);
  try {
    action();
  } finally {
    process.umask(old);
  }
}

/** Runs a module where the kernel refuses setuid and setgid bits, as systemd's RestrictSUIDSGID= does; undefined where it cannot be had. */
function restricted(module: string): { stdout: string; stderr: string } | undefined {
  if (process.platform !== "linux") return undefined;
  const args = [FILTER, process.execPath, "--input-type=module", "--eval", module];
  const { status, error, stdout, stderr } = spawnSync("python3", args, { encoding: "utf8" });
  return error !== undefined || status === 77 ? undefined : { stdout, stderr };
}
