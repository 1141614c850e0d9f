import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createSpool } from "@agentbus/core";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { until } from "../support/personal-spool.js";
import { byText, lettersIn, park as parkAs, publish as publishAs, Receiver } from "./receiver.js";

describe("a member and the names of others", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  before(async () => {
    spool = await GroupSpool.make();
  });
  after(() => spool.end());

  const park = (name: string, pattern: string, person = spool.alice) => parkAs(person, spool.path, name, pattern);
  const publish = (topic: string, data: unknown, person = spool.bob) => publishAs(person, spool.path, topic, data);

  /** What mallory says in bob's name, as the text of a message file. */
  function inBobsName(topic: string, more: Record<string, unknown> = {}): string {
    const time = new Date().toISOString();
    const id = `forged ${Math.random()}`;
    return JSON.stringify({
      specversion: "1.0",
      id,
      source: `/agents/${spool.bob.name}`,
      type: topic,
      time,
      topic,
      data: "forged",
      ...more,
    });
  }

  test("cannot speak with another's name: the owner of the file counts, not what it says", async () => {
    const { alice, bob, mallory } = spool;
    const receiver = await Receiver.open(alice, spool.path, "forged.source", { durable: "forged" });
    const box = spool.of(alice, "forged", "new");
    const honest = JSON.stringify({ ...JSON.parse(inBobsName("forged.source")), source: `/agents/${mallory.name}` });
    const texts = [
      inBobsName("forged.source"),
      inBobsName("forged.source", { source: "/agents/root" }),
      inBobsName("forged.source", { source: `/agents/${mallory.name}/../${bob.name}` }),
      inBobsName("forged.source", { source: `/agents/uid${bob.uid}` }),
      inBobsName("forged.source", { source: `urn:${mallory.name}` }),
      `${honest.replaceAll("forged ", "honest ")}\n${inBobsName("forged.source")}\n`,
    ];
    for (const text of texts) {
      await mallory.run(
        ({ post, join: to, messageName }, path, me, dir, what) => void post(path, me, what, to(dir, messageName())),
        spool.path,
        mallory.name,
        box,
        text,
      );
    }
    assert.deepEqual(await receiver.untilRefused(6), { "forged-source": 6 });
    assert.deepEqual(
      (await receiver.received()).map(({ sender, source }) => [sender, source]),
      [[mallory.name, `/agents/${mallory.name}`]],
    );
    await receiver.close();
    const letters = lettersIn(spool.of(alice, "forged"));
    assert.equal(letters.length, 6);
    for (const { reason, sender } of letters)
      assert.deepEqual([reason, sender], ["forged-source", { uid: mallory.uid, user: mallory.name }]);
  });

  test("speaks for others only as long as root has made it a relay, also for receivers that are open", async () => {
    const { alice, bob, mallory } = spool;
    const receiver = await Receiver.open(alice, spool.path, "relayed.source", { durable: "relayed" });
    const box = spool.of(alice, "relayed", "new");
    const say = (what: string) =>
      mallory.run(
        ({ post, join: to, messageName }, path, me, dir, text) => void post(path, me, text, to(dir, messageName())),
        spool.path,
        mallory.name,
        box,
        inBobsName("relayed.source", { data: what }),
      );
    const change = (options: { relay?: string[]; unrelay?: string[] }) =>
      createSpool({ spool: spool.path, group: spool.group, env: {}, ...options });
    await change({ relay: [mallory.name] });
    await say("relayed");
    const received = await receiver.untilReceived(1);
    assert.deepEqual(
      received.map(({ sender, source, data }) => [sender, source, data]),
      [[mallory.name, `/agents/${bob.name}`, "relayed"]],
    );
    await change({ unrelay: [mallory.name] });
    await say("no longer");
    assert.deepEqual(await receiver.untilRefused(1), { "forged-source": 1 });
    assert.equal((await receiver.received()).length, 1);
    await receiver.close();
  });

  test("cannot give a file away", async () => {
    const outcome = await spool.mallory.run(
      ({ fs: files, join: to, attempt }, path, me, uid) => {
        const mine = to(path, "outbox", me, "gift");
        files.writeFileSync(mine, "x");
        const refusal = attempt(() => files.chownSync(mine, uid, -1 >>> 0));
        files.unlinkSync(mine);
        return refusal;
      },
      spool.path,
      spool.mallory.name,
      spool.bob.uid,
    );
    assert.equal(outcome, "EPERM");
  });

  test("cannot have a file of another speak that anybody may write to", async () => {
    const { alice, bob, mallory } = spool;
    // Bob was careless: a file that everybody may change, in a directory that everybody may use.
    const commons = spool.home(bob, 0o777);
    await bob.run(
      ({ fs: files }, path) => (files.writeFileSync(path, ""), files.chmodSync(path, 0o666)),
      join(commons, "notes"),
    );
    await bob.run(
      ({ fs: files }, path, gid) => (
        files.writeFileSync(path, ""),
        files.chownSync(path, -1 >>> 0, gid),
        files.chmodSync(path, 0o660)
      ),
      join(commons, "shared"),
      fs.statSync(spool.path).gid,
    );
    const receiver = await Receiver.open(alice, spool.path, "forged.inode", { durable: "inode" });
    for (const name of ["notes", "shared"]) {
      await mallory.run(
        ({ fs: files, join: to, messageName }, victim, text, box) => {
          files.writeFileSync(victim, text);
          files.linkSync(victim, to(box, messageName()));
        },
        join(commons, name),
        inBobsName("forged.inode"),
        spool.of(alice, "inode", "new"),
      );
    }
    assert.deepEqual(await receiver.untilRefused(2), { "forged-source": 2 });
    assert.deepEqual(await receiver.received(), []);
    await receiver.close();
  });

  test("cannot have a file speak that another wrote elsewhere than in the outbox", async () => {
    const { alice, bob, mallory } = spool;
    // Bob saved in a directory of mallory's what mallory told him.
    const home = spool.home(mallory, 0o777);
    await bob.run(
      ({ fs: files }, path, text) => (files.writeFileSync(path, text), files.chmodSync(path, 0o644)),
      join(home, "answer.txt"),
      `What I was told:\n${inBobsName("forged.log")}\nThat was all.\n`,
    );
    const receiver = await Receiver.open(alice, spool.path, "forged.log", { durable: "log" });
    await mallory.run(
      ({ fs: files, join: to, messageName }, from, box) => files.renameSync(from, to(box, messageName())),
      join(home, "answer.txt"),
      spool.of(alice, "log", "new"),
    );
    assert.deepEqual(await receiver.untilRefused(1), { "forged-source": 1 });
    assert.deepEqual(await receiver.received(), []);
    await receiver.close();
  });

  test("cannot link another's message, nor play it again where it was delivered", async () => {
    const { alice, mallory } = spool;
    await park("copies", "again.*", mallory);
    const receiver = await Receiver.open(alice, spool.path, "again.*", { durable: "again" });
    await publish("again.one", 1);
    await receiver.untilReceived(1);
    const outcomes = await mallory.run(
      ({ fs: files, join: to, messageName, attempt }, from, box) => {
        const [name = ""] = files.readdirSync(from);
        const link = attempt(() => files.linkSync(to(from, name), to(box, messageName())));
        // She may take it out of her own drop box, and a rename keeps the owner of the file.
        const rename = attempt(() => files.renameSync(to(from, name), to(box, messageName(5, name.slice(2, 28)))));
        return { link, rename };
      },
      spool.of(mallory, "copies", "new"),
      spool.of(alice, "again", "new"),
    );
    assert.deepEqual(outcomes, { link: "EPERM", rename: "allowed" });
    await until(async () => (await receiver.stats()).duplicates === 1);
    await publish("again.one", 2);
    await receiver.untilReceived(2);
    assert.deepEqual(await receiver.data(), [1, 2]);
    await receiver.close();
  });

  test("cannot play it again to another process that shares the subscription", async () => {
    const { alice, mallory } = spool;
    await park("copies", "shared.*", mallory);
    const other = await spool.another(alice);
    const first = await Receiver.open(alice, spool.path, "shared.*", { durable: "shared", shared: true });
    await publish("shared.one", 1);
    await first.untilReceived(1);
    const second = await Receiver.open(other, spool.path, "shared.*", { durable: "shared", shared: true });
    await publish("shared.one", 2);
    await until(async () => (await first.received()).length + (await second.received()).length === 2);
    // The first one has ended: what comes now is the second one's.
    await first.close();
    await mallory.run(
      ({ fs: files, join: to, messageName }, from, box) => {
        for (const name of files.readdirSync(from))
          files.renameSync(to(from, name), to(box, messageName(5, name.slice(2, 28))));
      },
      spool.of(mallory, "copies", "new"),
      spool.of(alice, "shared", "new"),
    );
    await until(() => fs.readdirSync(spool.of(alice, "shared", "new")).length === 0);
    await publish("shared.one", 3);
    await until(async () => (await second.data()).includes(3));
    assert.deepEqual([...(await first.data()), ...(await second.data())].sort(byText), [1, 2, 3]);
    await second.close();
    await other.kill();
  });

  test("cannot play it again to a subscription that was made after it", async () => {
    const { alice, mallory } = spool;
    await park("hoard", "young.*", mallory);
    await publish("young.one", "old");
    await publish("young.two", "old");
    const ephemeral = await Receiver.open(alice, spool.path, "young.*");
    const durable = await Receiver.open(alice, spool.path, "young.*", { durable: "young" });
    const dirs = fs.readdirSync(spool.at("subscriptions")).filter((name) => name.startsWith(`${alice.name}~tmp-`));
    assert.equal(dirs.length, 1);
    // As if it had been a minute ago. Only root and bob can do this: mallory cannot make an old message look young.
    const hoard = spool.of(mallory, "hoard", "new");
    for (const name of fs.readdirSync(hoard))
      fs.utimesSync(join(hoard, name), new Date(), new Date(Date.now() - 60_000));
    await mallory.run(
      ({ fs: files, join: to, messageName }, from, boxes) => {
        const names = files.readdirSync(from);
        for (const [index, box] of boxes.entries()) {
          const name = names[index] ?? "";
          files.renameSync(to(from, name), to(box, messageName(5, name.slice(2, 28))));
        }
      },
      hoard,
      [spool.at("subscriptions", dirs[0] ?? "", "new"), spool.of(alice, "young", "new")],
    );
    assert.deepEqual(await ephemeral.untilRefused(1), { "older-than-subscription": 1 });
    assert.deepEqual(await durable.untilRefused(1), { "older-than-subscription": 1 });
    await publish("young.one", "new");
    assert.deepEqual(
      (await ephemeral.untilReceived(1)).map(({ data }) => data),
      ["new"],
    );
    assert.deepEqual(
      (await durable.untilReceived(1)).map(({ data }) => data),
      ["new"],
    );
    await ephemeral.close();
    await durable.close();
  });

  test("cannot make a subscription forget what it has seen by sending a lot", async () => {
    const { alice, mallory } = spool;
    await park("hoard", "flushed.*", mallory);
    const receiver = await Receiver.open(alice, spool.path, "flushed.*", { durable: "flushed" });
    await publish("flushed.one", "bob's");
    await receiver.untilReceived(1);
    const journal = spool.of(alice, "flushed", "seen.old");
    for (const round of [1, 2]) {
      const old = fs.statSync(journal, { throwIfNoEntry: false })?.ino;
      await mallory.run(
        ({ post, join: to, messageName, envelope }, path, me, box) => {
          for (let file = 0; file < 3; file++) {
            const lines = Array.from({ length: 9_000 }, () => JSON.stringify(envelope(me, "flushed.junk")));
            post(path, me, `${lines.join("\n")}\n`, to(box, messageName()));
          }
        },
        spool.path,
        mallory.name,
        spool.of(alice, "flushed", "new"),
      );
      await until(async () => (await receiver.stats()).acked === 1 + round * 27_000, 60_000);
      await until(() => fs.statSync(journal, { throwIfNoEntry: false })?.ino !== old);
    }
    await mallory.run(
      ({ fs: disk, join: to, messageName }, from, box) => {
        // The last one: others may have come before.
        const name = disk.readdirSync(from).sort().at(-1) ?? "";
        disk.renameSync(to(from, name), to(box, messageName(5, name.slice(2, 28))));
      },
      spool.of(mallory, "hoard", "new"),
      spool.of(alice, "flushed", "new"),
    );
    await until(async () => (await receiver.stats()).duplicates === 1);
    assert.equal((await receiver.data()).filter((data) => data === "bob's").length, 1);
    await receiver.close();
  });

  test("gains nothing by changing a message after it was judged", async () => {
    const { alice, mallory } = spool;
    const options = { durable: "edited", backoff: { minMs: 20 }, behaviour: "holds" } as const;
    const receiver = await Receiver.open(alice, spool.path, "edited.*", options);
    const box = spool.of(alice, "edited", "new");
    const forged = inBobsName("edited.one");
    await mallory.run(
      ({ fs: files, join: to, keep, messageName, envelope }, path, me, dir) => {
        const draft = to(path, "outbox", me, "held");
        const fd = files.openSync(draft, "wx+", 0o640);
        files.fchmodSync(fd, 0o640);
        files.writeSync(fd, JSON.stringify(envelope(me, "edited.one", { data: "harmless" })));
        files.renameSync(draft, to(dir, messageName()));
        keep["held"] = fd;
      },
      spool.path,
      mallory.name,
      box,
    );
    await receiver.untilReceived(1);
    // In work, and in her hands: what she writes now is judged when it is read again.
    await mallory.run(({ fs: files, keep }, text) => {
      const fd = keep["held"] as number;
      files.ftruncateSync(fd, 0);
      files.writeSync(fd, text, 0);
    }, forged);
    await receiver.behave("fails");
    assert.deepEqual(await receiver.untilRefused(1), { "forged-source": 1 });
    assert.deepEqual(
      (await receiver.received()).map(({ data, sender }) => [data, sender]),
      [["harmless", mallory.name]],
    );
    await receiver.close();
  });

  test("keeps what was read, not what it became, in a dead letter", async () => {
    const { alice, mallory } = spool;
    const receiver = await Receiver.open(alice, spool.path, "evidence.*", {
      durable: "evidence",
      behaviour: "rejects",
    });
    await mallory.run(
      ({ fs: files, join: to, keep, messageName, envelope }, path, me, dir) => {
        const draft = to(path, "outbox", me, "held again");
        const fd = files.openSync(draft, "wx+", 0o640);
        files.fchmodSync(fd, 0o640);
        files.writeSync(fd, JSON.stringify(envelope(me, "evidence.one", { data: "insult" })));
        files.renameSync(draft, to(dir, messageName()));
        keep["held"] = fd;
      },
      spool.path,
      mallory.name,
      spool.of(alice, "evidence", "new"),
    );
    await until(() => lettersIn(spool.of(alice, "evidence")).length === 1);
    await mallory.run(({ fs: files, keep }) => files.ftruncateSync(keep["held"] as number, 0));
    const [letter] = lettersIn(spool.of(alice, "evidence"));
    const copy = fs.readFileSync(spool.of(alice, "evidence", "dead", `${letter?.letter}.json`), "utf8");
    assert.equal((JSON.parse(copy) as { data: string }).data, "insult");
    assert.deepEqual(letter?.sender, { uid: mallory.uid, user: mallory.name });
    await receiver.close();
  });

  test("cannot slip a forged message past a receiver that dies and comes back", async () => {
    const { alice, mallory } = spool;
    const worker = await spool.another(alice);
    const options = { durable: "revived", behaviour: "holds" } as const;
    const receiver = await Receiver.open(worker, spool.path, "revived.*", options);
    await mallory.run(
      ({ post, join: to, messageName, envelope }, path, me, box, forged) => {
        post(
          path,
          me,
          `${JSON.stringify(envelope(me, "revived.one", { data: 1 }))}\n${forged}\n`,
          to(box, messageName()),
        );
      },
      spool.path,
      mallory.name,
      spool.of(alice, "revived", "new"),
      inBobsName("revived.two"),
    );
    await receiver.untilReceived(1);
    await worker.kill();
    const again = await Receiver.open(alice, spool.path, "revived.*", { durable: "revived" });
    assert.deepEqual(await again.untilRefused(1), { "forged-source": 1 });
    assert.deepEqual(
      (await again.untilReceived(1)).map(({ data, sender }) => [data, sender]),
      [[1, mallory.name]],
    );
    await again.close();
  });
});
