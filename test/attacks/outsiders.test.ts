import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { park, publish, Receiver } from "./receiver.js";

describe("an account outside of the group", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  before(async () => {
    spool = await GroupSpool.make();
  });
  after(() => spool.end());

  test("cannot list, read, write, link into, enter or even look at anything in the spool", async () => {
    const { alice, bob, oscar } = spool;
    await park(alice, spool.path, "open", "open.*");
    await publish(bob, spool.path, "open.one", 1);
    const box = spool.of(alice, "open", "new");
    const [name = ""] = fs.readdirSync(box);
    const home = spool.home(oscar);
    const paths = [
      ...["", "spool.json", "schemas", "subscriptions", "queues", "outbox", "run", "pipes", `outbox/${bob.name}`].map(
        (part) => spool.at(part),
      ),
      ...["", "subscription.json", "new", `new/${name}`].map((part) => spool.of(alice, "open", part)),
    ];
    const outcomes = await oscar.run(
      ({ fs: files, attempt, messageName, spawnSync }, all, drop, own) => {
        files.writeFileSync(`${own}/file`, "x");
        const rows: Record<string, string[]> = {};
        for (const path of all) {
          rows[path] = [
            attempt(() => files.readdirSync(path)),
            attempt(() => files.readFileSync(path)),
            attempt(() => files.opendirSync(path).closeSync()),
            attempt(() => files.writeFileSync(`${path}/x`, "x")),
            attempt(() => files.mkdirSync(`${path}/x`)),
            attempt(() => files.linkSync(`${own}/file`, `${path}/x`)),
            attempt(() => files.renameSync(`${own}/file`, `${path}/x`)),
            attempt(() => files.symlinkSync("/", `${path}/x`)),
            attempt(() => files.chmodSync(path, 0o777)),
            attempt(() => files.rmSync(path, { recursive: true })),
            attempt(() => files.watch(path).close()),
            attempt(() => process.chdir(path)),
          ];
        }
        rows["traverse"] = [
          attempt(() => files.lstatSync(drop)),
          attempt(() => files.linkSync(`${own}/file`, `${drop}/${messageName()}`)),
          attempt(() => files.accessSync(`${drop}/..`)),
        ];
        rows["mkfifo"] = [spawnSync("mkfifo", [`${drop}/${messageName()}`]).status === 0 ? "allowed" : "EACCES"];
        return rows;
      },
      paths,
      box,
      home,
    );
    for (const [path, row] of Object.entries(outcomes)) {
      for (const outcome of row) assert.match(outcome, /^(?:EACCES|EPERM)$/, `${path}: ${row.join()}`);
    }
    assert.deepEqual(fs.readdirSync(box), [name]);
  });

  test("is told by every call why, and what an administrator would have to do", async () => {
    const { oscar, group } = spool;
    const failure = await oscar.failureOf(({ createBus }, path) => createBus({ spool: path }), spool.path);
    assert.equal(failure.code, "ERR_ACCESS");
    assert.match(failure.message, new RegExp(`${oscar.name} is not in group ${group}`));
    assert.match(failure.fix ?? "", new RegExp(`usermod -aG ${group} ${oscar.name}`));
  });

  test("cannot have a member's process do it: what it hands over is not taken from where it lies", async () => {
    const { alice, mallory, oscar } = spool;
    const receiver = await Receiver.open(alice, spool.path, "smuggled.*", { durable: "smuggled" });
    const home = spool.home(oscar, 0o777);
    const text = JSON.stringify(await oscar.run(({ envelope }, me) => envelope(me, "smuggled.one"), oscar.name));
    await oscar.run(
      ({ fs: files }, path, what) => files.writeFileSync(path, what, { mode: 0o644 }),
      `${home}/message`,
      text,
    );
    // A member moves the outsider's file into the drop box: it would be the outsider who speaks.
    await mallory.run(
      ({ fs: files, messageName }, from, to) => files.renameSync(from, `${to}/${messageName()}`),
      `${home}/message`,
      spool.of(alice, "smuggled", "new"),
    );
    const refused = await receiver.untilRefused(1);
    assert.deepEqual(Object.values(refused), [1]);
    assert.deepEqual(await receiver.received(), []);
    await receiver.close();
  });
});
