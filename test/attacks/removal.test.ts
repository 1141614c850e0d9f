import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { until } from "../support/personal-spool.js";
import type { Tools } from "../support/person.js";
import { park, Receiver } from "./receiver.js";

describe("removing a subscription that a neighbour has prepared", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  before(async () => {
    spool = await GroupSpool.make();
  });
  after(() => spool.end());

  /** A directory of alice's with something dear in it, two levels deep. */
  async function treasure(mode: number): Promise<string> {
    const { alice } = spool;
    const dir = spool.home(alice, mode);
    await alice.run(({ fs: files }, path) => {
      for (const part of ["", "/new", "/new/cur", "/private"]) {
        files.mkdirSync(path + part, { recursive: true, mode: 0o755 });
        files.writeFileSync(`${path}${part}/dear`, "mine");
        files.chmodSync(path + part, part === "" ? files.statSync(path).mode : 0o755);
      }
    }, dir);
    return dir;
  }

  function assertIntact(dir: string): void {
    const found = below(dir).filter((name) => name.endsWith("dear"));
    assert.deepEqual(found, ["dear", "new/cur/dear", "new/dear", "private/dear"]);
  }

  async function unsubscribe(name: string): Promise<void> {
    await spool.alice.run(
      async ({ openedBus }, path, which) => (await openedBus(path)).unsubscribe(which),
      spool.path,
      name,
    );
  }

  const hidden = () => fs.readdirSync(spool.at("subscriptions")).filter((name) => name.startsWith("."));

  test("follows no link, and leaves nothing but what its owner alone can remove", async () => {
    const { alice, mallory } = spool;
    const dear = await treasure(0o755);
    await park(alice, spool.path, "planted", "planted.*");
    await mallory.run(
      ({ fs: files, spawnSync: run, messageName }, box, target) => {
        for (const name of ["link", ".hidden", messageName()]) files.symlinkSync(target, `${box}/${name}`);
        files.symlinkSync(`${target}/dear`, `${box}/file`);
        run("mkfifo", [`${box}/fifo`]);
        files.writeFileSync(`${box}/file\n\u001b[2J`, "x");
        files.mkdirSync(`${box}/empty`);
      },
      spool.of(alice, "planted", "new"),
      dear,
    );
    await unsubscribe("planted");
    assertIntact(dear);
    assert.equal(fs.existsSync(spool.of(alice, "planted")), false);
    assert.deepEqual(hidden(), []);
    // A directory that mallory filled is not to be entered, and so not to be removed; but the subscription is gone.
    await park(alice, spool.path, "planted", "planted.*");
    await mallory.run(
      ({ fs: files }, box, target) => {
        files.mkdirSync(`${box}/filled`);
        files.symlinkSync(target, `${box}/filled/link`);
      },
      spool.of(alice, "planted", "new"),
      dear,
    );
    await unsubscribe("planted");
    assertIntact(dear);
    assert.equal(fs.existsSync(spool.of(alice, "planted")), false);
    const [left = ""] = hidden();
    assert.deepEqual(below(spool.at("subscriptions", left)), ["new", "new/filled", "new/filled/link"]);
    fs.rmSync(spool.at("subscriptions", left), { recursive: true });
  });

  test("spares a directory of its owner's own that a neighbour moved into it", async () => {
    const { alice, mallory } = spool;
    // Shared by its owner: anybody may write to it, and thus also move it.
    const shared = await treasure(0o777);
    const commons = join(spool.scratchDir, "commons");
    fs.mkdirSync(commons);
    fs.chmodSync(commons, 0o777);
    fs.renameSync(shared, join(commons, "shared"));
    await park(alice, spool.path, "moved", "moved.*");
    const outcome = await mallory.run(
      ({ fs: files, attempt }, from, to) => attempt(() => files.renameSync(from, to)),
      join(commons, "shared"),
      spool.of(alice, "moved", "new", "shared"),
    );
    assert.equal(outcome, "allowed");
    await unsubscribe("moved");
    const [left = ""] = hidden();
    assertIntact(spool.at("subscriptions", left, "new/shared"));
    fs.rmSync(spool.at("subscriptions", left), { recursive: true });
  });

  test("spares it also when the sweeper finds it under the name of something half removed", async () => {
    const { alice, mallory } = spool;
    const shared = await treasure(0o777);
    fs.chmodSync(spool.scratchDir, 0o777);
    const moved = await mallory.run(
      ({ fs: files, attempt }, from, to) => attempt(() => files.renameSync(from, to)),
      shared,
      spool.at("subscriptions", ".gone-aaaaaaaaaaaaaaaa"),
    );
    fs.chmodSync(spool.scratchDir, 0o755);
    assert.equal(moved, "allowed");
    const sweeper = await spool.another(alice);
    await sweeper.run(async ({ createBus, delay }, path) => {
      // Sweeping takes what is a minute old; that it is, this process believes.
      const now = Date.now.bind(Date);
      Date.now = () => now() + 120_000;
      const bus = await createBus({ spool: path });
      await bus.subscribe("x");
      await delay(300);
      await bus.close();
    }, spool.path);
    await sweeper.kill();
    const left = spool.at("subscriptions", ".gone-aaaaaaaaaaaaaaaa");
    // What lay in it openly could be removed by anybody; what did not is there.
    assert.ok(fs.existsSync(`${left}/private/dear`));
    assert.ok(fs.existsSync(`${left}/new/cur/dear`));
    fs.rmSync(left, { recursive: true });
  });

  test("removes nothing of its owner's when a neighbour swaps names under its hands", async () => {
    const { alice, mallory } = spool;
    const dear = await treasure(0o755);
    const racer = await spool.another(mallory);
    let swaps = 0;
    for (let round = 0; round < 4; round++) {
      await park(alice, spool.path, "raced", "raced.*");
      const box = spool.of(alice, "raced", "new");
      await racer.run(plantAndSwap, box, dear);
      await until(async () => (await racer.run(({ keep }) => keep["swaps"] as number)) > 100);
      await unsubscribe("raced");
      swaps += await racer.run(({ keep }) => {
        keep["isOver"] = true;
        return keep["swaps"] as number;
      });
      assertIntact(dear);
      assert.equal(fs.existsSync(spool.of(alice, "raced")), false);
    }
    assert.ok(swaps > 400, String(swaps));
    await racer.kill();
    // Filled again and again by mallory, some could not be removed at once.
    for (const name of hidden()) fs.rmSync(spool.at("subscriptions", name), { recursive: true });
  });

  test("happens to an ephemeral one whose process is gone, with the same care", async () => {
    const { alice, mallory } = spool;
    const dear = await treasure(0o755);
    const worker = await spool.another(alice);
    await Receiver.open(worker, spool.path, "short.*");
    const isEphemeral = (name: string) => name.startsWith(`${alice.name}~tmp-`);
    const [directory = ""] = fs.readdirSync(spool.at("subscriptions")).filter(isEphemeral);
    await mallory.run(
      ({ fs: files }, box, target) => {
        files.symlinkSync(target, `${box}/link`);
        files.mkdirSync(`${box}/empty`);
      },
      spool.at("subscriptions", directory, "new"),
      dear,
    );
    await worker.kill();
    const sweeper = await spool.another(alice);
    await sweeper.run(async ({ openedBus }, path) => void (await (await openedBus(path)).subscribe("x")), spool.path);
    await until(() => !fs.existsSync(spool.at("subscriptions", directory)));
    assertIntact(dear);
    await sweeper.run(async ({ openedBus }, path) => (await openedBus(path)).close(), spool.path);
    await sweeper.kill();
    assert.deepEqual(hidden(), []);
  });
});

/** All names in a directory, without following a link, as `fs.readdir` does when it is recursive. */
function below(dir: string): string[] {
  const { stdout } = spawnSync("find", [dir, "-mindepth", "1", "-printf", "%P\\n"], { encoding: "utf8" });
  return stdout.split("\n").filter(Boolean).sort();
}

/** Directories that become links to somebody else's, and directories again, until it is over. */
function plantAndSwap({ fs: files, keep }: Tools, box: string, target: string): void {
  const names = Array.from({ length: 50 }, (_, index) => `dir-${index}`);
  const dir = files.openSync(box, files.constants.O_DIRECTORY);
  // By descriptor: the subscription is renamed away before it is emptied.
  const at = (name: string) => `/proc/self/fd/${dir}/${name}`;
  for (const name of names) files.mkdirSync(at(name));
  keep["isOver"] = false;
  keep["swaps"] = 0;
  let swaps = 0;
  const swap = () => {
    for (const name of names) {
      try {
        files.rmdirSync(at(name));
        files.symlinkSync(target, at(name));
        files.unlinkSync(at(name));
        files.mkdirSync(at(name));
        swaps++;
      } catch {
        // Removed meanwhile: put there again, as long as the drop box stands.
        try {
          files.mkdirSync(at(name));
        } catch {
          continue;
        }
      }
    }
    keep["swaps"] = swaps;
    if (keep["isOver"] === true) files.closeSync(dir);
    else setImmediate(swap);
  };
  setImmediate(swap);
}
