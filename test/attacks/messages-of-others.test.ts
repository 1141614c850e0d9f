import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { until } from "../support/personal-spool.js";
import { byText, lettersIn, park as parkAs, publish as publishAs, Receiver } from "./receiver.js";

describe("a member and the messages of others", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  before(async () => {
    spool = await GroupSpool.make();
  });
  after(() => spool.end());

  const park = (name: string, pattern: string, person = spool.alice) => parkAs(person, spool.path, name, pattern);
  const publish = (topic: string, data: unknown, person = spool.bob) => publishAs(person, spool.path, topic, data);

  test("cannot remove, rename, replace or alter what waits in another's drop box", async () => {
    const { alice, mallory } = spool;
    await park("waiting", "waiting.*");
    await publish("waiting.one", 1);
    const dir = spool.of(alice, "waiting");
    const [name = ""] = fs.readdirSync(`${dir}/new`);
    const old = fs.statSync(`${dir}/new/${name}`);
    const outcomes = await mallory.run(
      ({ fs: files, attempt, join, ulid, post, messageName }, path, subscription, file, me) => {
        const message = join(subscription, "new", file);
        const mine = post(path, me, "mine", join(subscription, "new", messageName()));
        const refusals = {
          unlink: attempt(() => files.unlinkSync(message)),
          "rename away": attempt(() => files.renameSync(message, join(path, "outbox", me, "stolen"))),
          "rename within": attempt(() => files.renameSync(message, `${message}.gone`)),
          "rename over it": attempt(() => files.renameSync(mine, message)),
          "open to write": attempt(() => files.openSync(message, "r+")),
          truncate: attempt(() => files.truncateSync(message, 0)),
          chmod: attempt(() => files.chmodSync(message, 0o666)),
          utimes: attempt(() => files.utimesSync(message, 0, 0)),
          chown: attempt(() => files.chownSync(message, process.getuid?.() ?? 0, -1 >>> 0)),
          link: attempt(() => files.linkSync(message, join(path, "outbox", me, ulid()))),
          "remove the drop box": attempt(() => files.rmdirSync(join(subscription, "new"))),
          "rename the drop box": attempt(() => files.renameSync(join(subscription, "new"), join(subscription, "old"))),
          "rename the subscription": attempt(() => files.renameSync(subscription, `${subscription}x`)),
          "rename it into one's own": attempt(() => files.renameSync(subscription, join(path, "outbox", me, "loot"))),
          "chmod the drop box": attempt(() => files.chmodSync(join(subscription, "new"), 0o777)),
          "change its patterns": attempt(() => files.writeFileSync(join(subscription, "subscription.json"), "{}")),
          "put a file beside it": attempt(() => files.writeFileSync(join(subscription, "seen"), "x")),
          "list what is in work": attempt(() => files.readdirSync(join(subscription, "cur"))),
          "list what waits for a retry": attempt(() => files.readdirSync(join(subscription, "retry"))),
          "list dead letters": attempt(() => files.readdirSync(join(subscription, "dead"))),
        };
        files.unlinkSync(mine);
        return refusals;
      },
      spool.path,
      dir,
      name,
      mallory.name,
    );
    for (const [what, outcome] of Object.entries(outcomes)) assert.match(outcome, /^(?:EPERM|EACCES)$/, what);
    const { ino, uid, mode, mtimeMs, nlink } = fs.statSync(`${dir}/new/${name}`);
    const now = { ino, uid, mode, mtimeMs, nlink };
    assert.deepEqual(now, { ...now, ino: old.ino, uid: old.uid, mode: old.mode, mtimeMs: old.mtimeMs });
    assert.equal(nlink, 1);
    const receiver = await Receiver.open(alice, spool.path, "waiting.*", { durable: "waiting" });
    const [message] = await receiver.untilReceived(1);
    assert.deepEqual([message?.data, message?.sender], [1, spool.bob.name]);
    await receiver.close();
  });

  test("cannot replace a message that is in work by sending another one under its name", async () => {
    const { alice, bob, mallory } = spool;
    await park("working", "working.*");
    await publish("working.one", "bob's");
    const dir = spool.of(alice, "working");
    const [name = ""] = fs.readdirSync(`${dir}/new`);
    const worker = await spool.another(alice);
    const options = { durable: "working", concurrency: 2, behaviour: "holds" } as const;
    const receiver = await Receiver.open(worker, spool.path, "working.*", options);
    await receiver.untilReceived(1);
    await mallory.run(
      ({ post, envelope }, path, me, target) => {
        post(path, me, JSON.stringify(envelope(me, "working.one", { id: "1", data: "mallory's" })), target);
      },
      spool.path,
      mallory.name,
      `${dir}/new/${name}`,
    );
    await receiver.untilReceived(2);
    // Whatever happens to the receiver now, both messages are still there.
    await worker.kill();
    const again = await Receiver.open(alice, spool.path, "working.*", { durable: "working" });
    const messages = (await again.untilReceived(2)).map(({ data, sender, attempt }) => [data, sender, attempt]);
    assert.deepEqual(messages.sort(byText), [
      ["bob's", bob.name, 2],
      ["mallory's", mallory.name, 2],
    ]);
    await again.close();
  });

  test("cannot overwrite a dead letter by sending junk under the name of its message", async () => {
    const { alice, bob, mallory } = spool;
    await park("dying", "dying.*");
    await publish("dying.one", "bob's");
    const dir = spool.of(alice, "dying");
    const [name = ""] = fs.readdirSync(`${dir}/new`);
    const receiver = await Receiver.open(alice, spool.path, "dying.*", { durable: "dying", behaviour: "rejects" });
    await until(() => lettersIn(dir).length === 1);
    await mallory.run(
      ({ post }, path, me, target) => void post(path, me, "not JSON", target),
      spool.path,
      mallory.name,
      `${dir}/new/${name}`,
    );
    assert.deepEqual(await receiver.untilRefused(1), { "invalid-json": 1 });
    await receiver.close();
    const letters = lettersIn(dir).map(({ reason, sender }) => [reason, sender?.user]);
    assert.deepEqual(letters.sort(byText), [
      ["invalid-json", mallory.name],
      ["rejected", bob.name],
    ]);
  });

  test("cannot bring them out of order by putting a copy of a later one in front", async () => {
    const { alice, mallory } = spool;
    await park("ordered", "ordered.*");
    await park("copies", "ordered.*", mallory);
    // Each in a file of its own, which nothing is appended to.
    for (const data of [1, 2, 3]) await publishAs(spool.bob, spool.path, "ordered.one", data, { sync: "data" });
    const names = fs.readdirSync(spool.of(mallory, "copies", "new")).sort();
    const copies = await mallory.run(
      ({ fs: files, join, messageName }, from, to, [first, second, third]) => {
        // Her own drop box is hers to empty, and a rename keeps the owner of the file: bob.
        files.renameSync(join(from, third ?? ""), join(to, messageName(0, "0".repeat(26))));
        files.renameSync(join(from, second ?? ""), join(to, messageName(5, (first ?? "").slice(2, 27) + "0")));
        return files.readdirSync(to).length;
      },
      spool.of(mallory, "copies", "new"),
      spool.of(alice, "ordered", "new"),
      names,
    );
    assert.equal(copies, 5);
    const receiver = await Receiver.open(alice, spool.path, "ordered.*", { durable: "ordered" });
    await receiver.untilReceived(3);
    assert.deepEqual(await receiver.data(), [1, 2, 3]);
    assert.deepEqual((await receiver.stats()).refused, { "bad-name": 2 });
    await receiver.close();
  });
});
