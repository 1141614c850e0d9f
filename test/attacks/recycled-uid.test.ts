import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import type { Person } from "../support/person.js";
import { lettersIn, Receiver } from "./receiver.js";

/** userdel(8) leaves an account's files behind, and useradd(8) gives its uid to the next one. */
describe("an account that got the uid of a deleted one", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  let former: { readonly name: string; readonly uid: number };
  let heir: Person;

  before(async () => {
    spool = await GroupSpool.make();
    const { caretaker, group, path } = spool;
    const add = async (name: string, uid?: number) => {
      const account = await caretaker.ask({ do: "add user", name, groups: [group], uid });
      return spool.another({ name, uid: account.uid ?? -1, gid: account.gid ?? -1 });
    };
    const old = await add(`${group}old`);
    former = { name: old.name, uid: old.uid };
    await (await Receiver.open(spool.alice, path, "news.*", { durable: "news" })).close();
    await (await Receiver.open(old, path, "news.*", { durable: "ci" })).close();
    await old.run(
      async ({ openedBus }, at) => void (await (await openedBus(at)).publish("news.one", "last words")),
      path,
    );
    await spool.bob.run(
      async ({ openedBus }, at, to) => void (await (await openedBus(at)).publish(to, "for the old one only")),
      path,
      `@${old.name}`,
    );
    await old.kill();
    await caretaker.ask({ do: "delete user", name: old.name });
    heir = await add(`${group}new`, old.uid);
  });
  after(() => spool.end());

  test("is somebody else: what the former one left speaks for neither", async () => {
    const receiver = await Receiver.open(spool.alice, spool.path, "news.*", { durable: "news" });
    assert.deepEqual(await receiver.untilRefused(1), { "forged-source": 1 });
    assert.deepEqual(await receiver.received(), []);
    const [letter] = lettersIn(spool.of(spool.alice, "news"));
    assert.deepEqual(letter?.sender, { uid: former.uid, user: heir.name });
    // What the new one says is its own.
    await heir.run(
      async ({ openedBus }, at) => void (await (await openedBus(at)).publish("news.two", "hello")),
      spool.path,
    );
    const [message] = await receiver.untilReceived(1);
    assert.deepEqual([message?.data, message?.sender], ["hello", heir.name]);
    await receiver.close();
  });

  test("has not inherited its subscriptions: they receive nothing any more, and its address is unknown", async () => {
    const { bob, path } = spool;
    const stored = await bob.run(
      async ({ openedBus }, at) => (await (await openedBus(at)).publish("news.three", 1)).subscriptions,
      path,
    );
    assert.deepEqual(stored, [`${spool.alice.name}~news`]);
    const failure = await bob.failureOf(
      async ({ openedBus }, at, to) => (await openedBus(at)).publish(to, 1),
      path,
      `@${former.name}`,
    );
    assert.match(failure.code ?? "", /^ERR_(?:SQUATTED|ADDRESS_UNKNOWN)$/);
    assert.deepEqual(fs.readdirSync(spool.at("subscriptions", `${former.name}~ci`, "new")).length, 1);
  });

  test("could read what the former one left, as with all its files: whoever deletes an account removes them", async () => {
    const left = await heir.run(
      ({ fs: files }, dir) =>
        files
          .readdirSync(dir)
          .map((name) => files.readFileSync(`${dir}/${name}`, "utf8"))
          .join(""),
      spool.at("subscriptions", `${former.name}~inbox`, "new"),
    );
    assert.match(left, /for the old one only/);
  });

  test("that came back under its old name with another uid is told whose its directories are now", async () => {
    const { caretaker, group, path } = spool;
    const account = await caretaker.ask({ do: "add user", name: former.name, groups: [group] });
    const returned = await spool.another({ name: former.name, uid: account.uid ?? -1, gid: account.gid ?? -1 });
    const failure = await returned.failureOf(({ createBus }, at) => createBus({ spool: at }), path);
    assert.equal(failure.code, "ERR_SQUATTED");
    assert.match(failure.message, new RegExp(`it belongs to ${heir.name}, not to ${former.name}`));
  });
});
