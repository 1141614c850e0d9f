import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createSpool } from "#core/create-spool.js";
import { diagnose } from "#core/doctor/diagnose.js";
import type { Finding } from "#core/doctor/finding.js";
import { mountOf, parseMountInfo, parseMountOutput } from "#core/doctor/mount-table.js";
import { roomFindings } from "#core/doctor/room.js";
import { nodeFileSystem } from "#core/file-system.js";

const LINUX = process.platform === "linux" ? false : "needs Linux";

let dir: string;
let env: NodeJS.ProcessEnv;

before(() => {
  dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-doctor-")));
  env = { HOME: dir, AGENTBUS_ROOT: join(dir, "root") };
});
after(() => fs.rmSync(dir, { recursive: true }));

describe("the doctor, about the machine", { skip: LINUX }, () => {
  test("says nothing but the spool and the use of inotify where all is well", async () => {
    await createSpool({ env });
    const findings = await examine({});
    const worse = findings.filter(({ severity }) => severity !== "info");
    assert.deepEqual(worse, []);
    assert.match(messageOf(findings, "spool"), /^the spool is .*personal, this account's own$/);
    assert.match(messageOf(findings, "inotify"), /^this account uses \d+ of its 500 inotify instances$/);
  });

  test("an old Node is an error", async () => {
    for (const [nodeVersion, isOld] of [
      ["18.20.0", true],
      ["20.18.9", true],
      ["20.19.0", false],
      ["22.0.0", false],
    ] as const) {
      const found = await diagnose({ env }, { nodeVersion });
      assert.equal(
        found.some(({ check, severity }) => check === "node" && severity === "error"),
        isOld,
        nodeVersion,
      );
    }
  });

  test("each inotify limit that is too low comes with the command that raises it, now and for good", async () => {
    const findings = await examine({ max_user_instances: 8, max_user_watches: 100, max_queued_events: 16 });
    for (const [name, value] of [
      ["max_user_instances", 1024],
      ["max_user_watches", 524_288],
      ["max_queued_events", 16_384],
    ] as const) {
      const setting = `fs.inotify.${name}=${value}`;
      const fixes = findings.flatMap(({ fix }) => fix ?? []).filter((fix) => fix.includes(setting));
      assert.equal(fixes.length, 1, name);
      assert.match(fixes[0] ?? "", new RegExp(`sysctl -w ${setting} && echo ${setting} \\| .*tee -a /etc/sysctl.d/`));
    }
  });

  test("inotify instances of this account's processes are counted", async () => {
    const procDir = fakeProc({ max_user_instances: 4 });
    for (const fd of [3, 4, 5, 6]) {
      fs.mkdirSync(join(procDir, "4711/fd"), { recursive: true });
      fs.symlinkSync(fd === 6 ? "/dev/null" : "anon_inode:inotify", join(procDir, `4711/fd/${fd}`));
    }
    const findings = await diagnose({ env }, { procDir });
    assert.match(messageOf(findings, "inotify"), /uses 3 of its 4 inotify instances/);
  });

  test("what is mounted inside the spool, and a read-only one, is found in mountinfo", async () => {
    const { path } = await createSpool({ env });
    const findings = await examine({}, [
      "20 1 0:1 / / rw - ext4 /dev/vda rw",
      `21 20 0:2 / ${path}/subscriptions/mallory~x rw,nosuid - fuse.sshfs mallory@host: rw,user_id=1000`,
      `22 20 0:3 / ${dir} ro,nosuid - ext4 /dev/vdb ro`,
    ]);
    const messages = findings.filter(({ check }) => check === "mounts").map(({ message }) => message);
    assert.equal(messages.length, 2);
    assert.match(messages[0] ?? "", /mallory~x is a mount \(fuse.sshfs\) inside the spool/);
    assert.match(messages[1] ?? "", /is mounted read-only$/);
  });

  test("a broken /proc is no reason to stop", async () => {
    const findings = await diagnose({ env }, { procDir: join(dir, "no-proc") });
    assert.equal(findings.filter(({ severity }) => severity !== "info").length, 0);
  });

  test("whatever the kernel refuses, it neither throws nor stops", async () => {
    for (const name of Object.keys(nodeFileSystem)) {
      const refuse = () => {
        throw Object.assign(new Error("EIO"), { code: "EIO" });
      };
      const fileSystem = { ...nodeFileSystem, [name]: refuse };
      const findings = await diagnose({ env }, { fileSystem });
      assert.ok(findings.length > 0, name);
    }
  });

  test("an option that does not exist is refused", async () => {
    await assert.rejects(diagnose({ path: "/x" } as object), /has no option "path"/);
  });
});

describe("the mount table", () => {
  test("is read from mountinfo, spaces in names included", () => {
    const mounts = parseMountInfo(
      "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n" +
        "40 27 0:40 / /srv/my\\040bus rw,nosuid,nodev master:2 - nfs4 host:/x rw\nbroken line\n",
    );
    assert.deepEqual(
      mounts.map(({ dir: at, type }) => [at, type]),
      [
        ["/", "ext4"],
        ["/srv/my bus", "nfs4"],
      ],
    );
    assert.ok(mounts[1]?.options.has("nosuid"));
    assert.equal(mountOf(mounts, "/srv/my bus/agents")?.type, "nfs4");
    assert.equal(mountOf(mounts, "/srv/my business")?.type, "ext4");
  });

  test("is read from what mount of macOS prints", () => {
    const mounts = parseMountOutput(
      "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n" +
        "/dev/disk4s1 on /Volumes/Bus (1) (apfs, local, nodev, nosuid, noowners)\n",
    );
    assert.deepEqual(mounts[1]?.dir, "/Volumes/Bus (1)");
    assert.ok(mounts[1]?.options.has("noowners"));
    assert.equal(mounts[1]?.type, "apfs");
  });

  test("without owners on macOS is an error, with the command that turns them on", async () => {
    const { examineMount } = await import("#core/doctor/mounts.js");
    const [mount] = parseMountOutput("/dev/disk4s1 on /Volumes/Bus (apfs, local, noowners)\n");
    assert.ok(mount);
    const [found] = examineMount({ path: "/Volumes/Bus/agents", kind: "group", group: "agents" }, mount);
    assert.equal(found?.severity, "error");
    assert.match(found?.fix ?? "", /diskutil enableOwnership \/Volumes\/Bus$/);
  });
});

describe("room", () => {
  const plenty = { bsize: 4096, blocks: 1_000_000, bavail: 500_000, files: 1_000_000, ffree: 500_000 };

  test("is enough, little or nearly gone by size and by share", () => {
    const severities = (change: Partial<typeof plenty>) =>
      roomFindings("/spool", { ...plenty, ...change }).map(({ severity }) => severity);
    assert.deepEqual(severities({}), []);
    assert.deepEqual(severities({ bavail: 40_000 }), ["warning"]);
    assert.deepEqual(severities({ bavail: 100 }), ["error"]);
    assert.deepEqual(severities({ ffree: 20_000 }), ["warning"]);
    assert.deepEqual(severities({ ffree: 50 }), ["error"]);
    assert.deepEqual(severities({ files: 0, ffree: 0 }), []);
    assert.deepEqual(severities({ blocks: 1e9, bavail: 4e7 }), []);
  });
});

/** A directory in the place of /proc, with these limits of inotify and these mounts. */
function fakeProc(limits: Record<string, number>, mounts = ["20 1 0:1 / / rw - ext4 /dev/vda rw"]): string {
  const procDir = fs.mkdtempSync(join(dir, "proc-"));
  const put = (name: string, text: string) => {
    fs.mkdirSync(dirname(join(procDir, name)), { recursive: true });
    fs.writeFileSync(join(procDir, name), text);
  };
  const all = { max_user_instances: 500, max_user_watches: 100_000, max_queued_events: 16_384, ...limits };
  for (const [name, value] of Object.entries(all)) put(`sys/fs/inotify/${name}`, `${value}\n`);
  put("self/mountinfo", `${mounts.join("\n")}\n`);
  put("self/uid_map", "         0          0 4294967295\n");
  return procDir;
}

function examine(limits: Record<string, number>, mounts?: string[]): Promise<Finding[]> {
  return diagnose({ env }, { procDir: fakeProc(limits, mounts) });
}

function messageOf(findings: readonly Finding[], check: string): string {
  return findings.find((each) => each.check === check)?.message ?? "";
}
