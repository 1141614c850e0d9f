import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeFileSystem, type FileSystem } from "#core/file-system.js";
import { TestSpool } from "../support/spool.js";

/** A disk that notes the calls which matter for durability, and lets each fsync take as long as the test wants. */
class NotingDisk {
  readonly calls: string[] = [];
  #held: (() => void)[] = [];
  isHolding = false;

  readonly fileSystem: FileSystem = {
    ...nodeFileSystem,
    link: (from, to) => {
      this.calls.push(/\/proc\/self\/fd\/|\/new\//.test(String(to)) ? "link" : "other link");
      nodeFileSystem.link(from, to);
    },
    fdatasync: (fd) => this.#sync("fdatasync", () => nodeFileSystem.fdatasync(fd)),
    fsync: (fd) =>
      this.#sync(nodeFileSystem.fstat(fd).isDirectory() ? "fsync directory" : "fsync", () => nodeFileSystem.fsync(fd)),
  };

  /** Lets everything that waits for the disk go on. */
  release(): void {
    this.isHolding = false;
    for (const go of this.#held.splice(0)) go();
  }

  async #sync(name: string, sync: () => Promise<void>): Promise<void> {
    if (this.isHolding) await new Promise<void>((resolve) => this.#held.push(resolve));
    await sync();
    this.calls.push(name);
  }
}

const EXPECTED = {
  none: ["link"],
  // The data first, or a power cut could leave a link to an empty file.
  data: ["fdatasync", "link"],
  full: ["fdatasync", "link", "fsync", "fsync directory"],
};

for (const sync of ["none", "data", "full"] as const) {
  test(`sync "${sync}" means ${EXPECTED[sync].join(", then ")}, before the publish resolves`, async (context) => {
    const spool = await TestSpool.make(context);
    const disk = new NotingDisk();
    const bus = await spool.bus({ sync }, { fileSystem: disk.fileSystem });
    await (await bus.subscribe("x", { durable: "d" })).close();
    disk.calls.length = 0;
    await bus.publish("x", 1);
    assert.deepEqual(disk.calls, EXPECTED[sync]);
  });
}

test("an option of one publish overrides the bus's level", async (context) => {
  const spool = await TestSpool.make(context);
  const disk = new NotingDisk();
  const bus = await spool.bus({}, { fileSystem: disk.fileSystem });
  await (await bus.subscribe("x", { durable: "d" })).close();
  disk.calls.length = 0;
  await bus.publish("x", 1, { sync: "full" });
  assert.deepEqual(disk.calls, EXPECTED.full);
});

test("publishes that arrive while the disk is busy share the next sync, and none resolves before its own", async (context) => {
  const spool = await TestSpool.make(context);
  const disk = new NotingDisk();
  const bus = await spool.bus({ sync: "full" }, { fileSystem: disk.fileSystem });
  await (await bus.subscribe("x", { durable: "d" })).close();
  disk.calls.length = 0;
  disk.isHolding = true;
  let resolved = 0;
  const first = bus.publish("x", 0).then(() => resolved++);
  await new Promise((resolve) => setImmediate(resolve));
  const others = Array.from({ length: 63 }, (_, i) => bus.publish("x", i + 1).then(() => resolved++));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(resolved, 0);
  disk.release();
  await Promise.all([first, ...others]);
  assert.equal(
    disk.calls.filter((call) => call === "fsync").length,
    2,
    "one for the first, one for the 63 that came meanwhile",
  );
});
