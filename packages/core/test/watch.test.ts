import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { isBusError } from "#core/errors.js";
import { watchDirectory } from "#core/watch/choose.js";
import { isTypeWithoutEvents } from "#core/watch/filesystem-types.js";
import type { Watcher, WatchMode } from "#core/watch/watcher.js";

const O_PATH = 0o10000000;
const LINUX = process.platform === "linux" ? false : "needs inotify and /proc";

let dir: string;
let open: Watcher[];
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), "agentbus-watch-"));
  open = [];
});
afterEach(() => {
  for (const watcher of open) watcher.close();
  fs.rmSync(dir, { recursive: true, force: true });
});

for (const mode of ["native", "polling"] as const) {
  describe(`watching by mode "${mode}"`, () => {
    test("reports a change made right after the promise resolved", async () => {
      for (let round = 0; round < 20; round++) {
        const sub = join(dir, String(round));
        fs.mkdirSync(sub);
        const changes = await watch(sub, mode);
        fs.writeFileSync(join(sub, "m"), "");
        await until(() => changes.length > 0);
      }
    });

    test("reports each of several changes that are far enough apart", async () => {
      const changes = await watch(dir, mode);
      for (const name of ["a", "b", "c"]) {
        const before = changes.length;
        fs.writeFileSync(join(dir, name), "");
        await until(() => changes.length > before);
      }
    });

    test("reports that the directory is gone, and goes on living", async () => {
      const sub = join(dir, "sub");
      fs.mkdirSync(sub);
      const changes = await watch(sub, mode);
      fs.rmdirSync(sub);
      await until(() => changes.length > 0);
    });

    test("works on a pinned directory, and stays with it when its name leads elsewhere", { skip: LINUX }, async () => {
      const sub = join(dir, "sub");
      fs.mkdirSync(sub);
      const fd = fs.openSync(sub, O_PATH | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW);
      try {
        const changes = await watch(`/proc/self/fd/${fd}`, mode);
        fs.renameSync(sub, join(dir, "moved"));
        fs.symlinkSync("/", sub);
        await delay(60); // not for a result: only so that the move itself is not what is reported below
        const before = changes.length;
        fs.writeFileSync(join(dir, "moved", "m"), "");
        await until(() => changes.length > before);
      } finally {
        fs.closeSync(fd);
      }
    });

    test("refuses a directory that is not there", async () => {
      await assert.rejects(watch(join(dir, "none"), mode), (error) => {
        assert.ok(isBusError(error));
        assert.match(error.message, /cannot watch .*none: ENOENT/);
        return true;
      });
    });

    test("reports nothing once it is closed", async () => {
      const changes = await watch(dir, mode);
      open[0]?.close();
      open[0]?.close();
      const before = changes.length;
      fs.writeFileSync(join(dir, "m"), "");
      const other = await watch(dir, mode);
      fs.writeFileSync(join(dir, "n"), "");
      await until(() => other.length > 0);
      assert.equal(changes.length, before);
    });

    test("lets the process end once it is closed", async () => {
      await run(
        `const watcher = await watchDirectory(${JSON.stringify(dir)}, { mode: "${mode}", onChange() {} }); watcher.close();`,
      );
    });
  });
}

test("names of any bytes arrive whole, one latin1 character for each byte", { skip: LINUX }, async () => {
  const changes = await watch(dir, "native");
  const name = Buffer.from([0xff, 0x0a, 0x1b, 0xc3, 0x28, 0x5c, 0x22]);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), name]), "");
  await until(() => changes.includes(name.toString("latin1")));
});

test("polling looks at the directory alone, however many files are in it", async () => {
  for (let n = 0; n < 300; n++) fs.writeFileSync(join(dir, String(n)), "");
  const calls = (["lstat", "stat", "readdir"] as const).map((name) => mock.method(fs.promises, name));
  const watchFile = mock.method(fs, "watchFile");
  syncBuiltinESMExports();
  try {
    const changes = await watch(dir, "polling");
    for (const name of ["one more", "and another"]) {
      const before = changes.length;
      fs.writeFileSync(join(dir, name), "");
      await until(() => changes.length > before);
    }
    const total = calls.reduce((sum, call) => sum + call.mock.callCount(), 0);
    assert.ok(total < 10, `${total} calls for 300 files`);
    assert.equal(watchFile.mock.callCount(), 1);
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
  }
});

test("filesystems that others write to are known not to report it", () => {
  for (const type of [0x6969, 0xff534d42, 0xfe534d42, 0x01021997, 0x65735546]) {
    assert.equal(isTypeWithoutEvents(type), true, type.toString(16));
    assert.equal(isTypeWithoutEvents(type | 0), true, `${type.toString(16)} as a 32-bit long`);
  }
  for (const type of [0xef53, 0x01021994, 0x9123683e, 0x58465342, 0x794c7630])
    assert.equal(isTypeWithoutEvents(type), false);
});

const shortages = {
  max_inotify_instances: "fs.inotify.max_user_instances",
  max_inotify_watches: "fs.inotify.max_user_watches",
};
for (const [limit, sysctl] of Object.entries(shortages)) {
  describe(`when ${limit} is used up`, { skip: withoutUserNamespaces() }, () => {
    test("mode auto polls, delivers, and names the sysctl in one warning", async () => {
      const { stdout, stderr } = await runLimited(
        limit,
        `
const dir = ${JSON.stringify(dir)};
        let resolve;
        const changed = new Promise((...functions) => { [resolve] = functions; });
        const first = await watchDirectory(dir, { mode: "auto", onChange: resolve });
        const second = await watchDirectory(dir, { mode: "auto", onChange() {} });
        fs.writeFileSync(dir + "/m", "");
        await changed;
        first.close();
        second.close();
        console.log("changed");`,
      );
      assert.equal(stdout, "changed\n");
      assert.match(stderr, new RegExp(`AGENTBUS_POLLING.*sudo sysctl ${sysctl}=[0-9]+`));
      assert.equal(stderr.match(/AGENTBUS_POLLING/g)?.length, 1);
    });

    test("mode native refuses with the same fix, and does not speak of a full disk", async () => {
      const { stdout } = await runLimited(
        limit,
        `
        const error = await watchDirectory(${JSON.stringify(dir)}, { mode: "native", onChange() {} }).catch((error) => error);
        console.log(error.code, error.fix);`,
      );
      assert.match(stdout, new RegExp(`^ERR_TOO_MANY_FILES sudo sysctl ${sysctl}=[0-9]+\n$`));
    });
  });
}

async function watch(target: string, mode: WatchMode): Promise<(string | undefined)[]> {
  const changes: (string | undefined)[] = [];
  open.push(await watchDirectory(target, { mode, pollMs: 20, onChange: (name) => changes.push(name) }));
  return changes;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(5);
}

const HEADER = `import fs from "node:fs"; import { watchDirectory } from ${JSON.stringify(import.meta.resolve("#core/watch/choose.js"))};`;

function run(code: string, command = process.execPath, args: string[] = []) {
  return promisify(execFile)(command, [...args, "--input-type=module", "--eval", HEADER + code]);
}

/** In a user namespace of its own (user_namespaces(7)), so that nobody else feels the limit. */
function runLimited(limit: string, code: string) {
  const script = `echo 0 > /proc/sys/user/${limit} && exec "$0" "$@"`;
  return run(code, "unshare", ["--user", "--map-root-user", "sh", "-c", script, process.execPath]);
}

function withoutUserNamespaces(): string | false {
  try {
    execFileSync("unshare", ["--user", "--map-root-user", "test", "-w", "/proc/sys/user/max_inotify_watches"], {
      stdio: "ignore",
    });
    return false;
  } catch {
    return "needs unshare(1) and user namespaces";
  }
}
