import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { until } from "../support/personal-spool.js";
import { publish, Receiver } from "./receiver.js";

describe("a member and the inboxes of others", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  before(async () => {
    spool = await GroupSpool.make({ limits: { maxBacklog: 100 } });
  });
  after(() => spool.end());

  const send = (data: unknown) => publish(spool.bob, spool.path, `@${spool.alice.name}`, data);

  test("can neither list nor watch one, and reads no message in it without its name", async () => {
    const { alice, bob, mallory } = spool;
    await send("secret");
    const box = spool.of(alice, "inbox", "new");
    const [name = ""] = fs.readdirSync(box);
    assert.match(name, /^5-[0-9A-Z]{26}-[a-z2-7]{26}\.json$/);
    const outcomes = await mallory.run(
      ({ fs: files, attempt, spawnSync, messageName, join }, dir, known, pids) => {
        let isWatched = "allowed";
        try {
          files.watch(dir).close();
        } catch (error) {
          isWatched = (error as NodeJS.ErrnoException).code ?? "";
        }
        // Everything but the random part: priority, time, id.
        const guesses = Array.from({ length: 1_000 }, () => join(dir, messageName(5, known.slice(2, 28))));
        return {
          list: attempt(() => files.readdirSync(dir)),
          watch: isWatched,
          find: spawnSync("find", [dir, "-mindepth", "1"], { encoding: "utf8" }).stdout,
          glob: spawnSync("sh", ["-c", `ls -d "$0"/*`, dir], { encoding: "utf8" }).stdout,
          guesses: [...new Set(guesses.map((guess) => attempt(() => files.readFileSync(guess))))],
          work: attempt(() => files.readdirSync(join(dir, "../cur"))),
          retries: attempt(() => files.readdirSync(join(dir, "../retry"))),
          dead: attempt(() => files.readdirSync(join(dir, "../dead"))),
          "descriptors of its processes": pids.map((pid) => attempt(() => files.readdirSync(`/proc/${pid}/fd`))),
          "what it has mapped": pids.map((pid) => attempt(() => files.readFileSync(`/proc/${pid}/maps`))),
        };
      },
      box,
      name,
      [alice.pid, bob.pid],
    );
    assert.deepEqual(outcomes, {
      ...{ list: "EACCES", watch: "EACCES", find: "", glob: "", guesses: ["ENOENT"] },
      ...{ work: "EACCES", retries: "EACCES", dead: "EACCES" },
      "descriptors of its processes": ["EACCES", "EACCES"],
      "what it has mapped": ["EACCES", "EACCES"],
    });
    // The name is all that keeps it: the file itself is open to the group, as its receiver is one of it.
    assert.match(
      await mallory.run(({ fs: files }, path) => files.readFileSync(path, "utf8"), `${box}/${name}`),
      /secret/,
    );
    const receiver = await Receiver.open(alice, spool.path, `@${alice.name}`);
    await receiver.untilReceived(1);
    await receiver.close();
  });

  test("learns from its tally how many messages wait and who sent them, and neither their names nor a word of them", async () => {
    const { alice, bob, mallory } = spool;
    await send("counted");
    const [name = ""] = fs.readdirSync(spool.of(alice, "inbox", "new"));
    const entries = await mallory.run(
      ({ fs: files }, dir) =>
        files
          .readdirSync(dir)
          .map((entry) => [
            entry,
            files.statSync(`${dir}/${entry}`).uid,
            files.readFileSync(`${dir}/${entry}`, "utf8"),
          ]),
      spool.of(alice, "inbox", "tally"),
    );
    assert.deepEqual(entries, [[createHash("sha256").update(name).digest("hex").slice(0, 32), bob.uid, ""]]);
    const receiver = await Receiver.open(alice, spool.path, `@${alice.name}`);
    await receiver.untilReceived(1);
    await receiver.close();
  });

  test("cannot make one look full by counting messages that it does not send", async () => {
    const { alice, mallory } = spool;
    const receiver = await Receiver.open(alice, spool.path, `@${alice.name}`);
    await mallory.run(
      ({ fs: files, join }, path, me, tallyDir) => {
        const blank = join(path, "outbox", me, "blank");
        files.writeFileSync(blank, "");
        for (let i = 0; i < 120; i++) files.linkSync(blank, join(tallyDir, `${i}`));
        for (let i = 0; i < 120; i++) {
          const dir = join(tallyDir, String(i).padStart(32, "a"));
          files.mkdirSync(dir);
          files.writeFileSync(join(dir, "filled"), "x");
        }
      },
      spool.path,
      mallory.name,
      spool.of(alice, "inbox", "tally"),
    );
    await until(
      async () => (await send("after all").catch(() => [])).length > 0 && (await receiver.data()).includes("after all"),
    );
    // What is left of it are directories under names that do not count.
    await until(() => fs.readdirSync(spool.of(alice, "inbox", "tally")).every((name) => name.startsWith(".stray-")));
    await receiver.close();
  });

  test("cannot make a drop box look full with what its owner cannot remove", async () => {
    const { alice, bob, mallory } = spool;
    const receiver = await Receiver.open(alice, spool.path, "room.*", { durable: "room" });
    await mallory.run(
      ({ fs: files, messageName }, box) => {
        for (let i = 0; i < 120; i++) {
          const dir = `${box}/.${messageName(0)}`;
          files.mkdirSync(dir);
          files.writeFileSync(`${dir}/filled`, "x");
          files.renameSync(dir, dir.replace("/.", "/"));
        }
      },
      spool.of(alice, "room", "new"),
    );
    await receiver.untilRefused(120);
    assert.equal((await publish(bob, spool.path, "room.one", "there is room")).length, 1);
    await receiver.untilReceived(1);
    await receiver.close();
  });

  test("cannot list where another waits for answers, nor answer a request that it cannot read", async () => {
    const { alice, bob, mallory } = spool;
    await alice.run(async ({ openedBus, keep, delay }, path) => {
      const bus = await openedBus(path);
      const slowly = () => delay(300, "alice's");
      const responder = await bus.respond(`@${bus.user}`, slowly);
      keep["responder"] = () => responder.close();
    }, spool.path);
    const asked = bob.run(
      async ({ openedBus }, path, to) => {
        const answer = await (await openedBus(path)).request(to, "a question", { timeoutMs: 10_000 });
        return [answer.data, answer.sender.user];
      },
      spool.path,
      `@${alice.name}`,
    );
    const isMailbox = (name: string) => name.startsWith(`${bob.name}~reply-`);
    await until(() => fs.readdirSync(spool.at("subscriptions")).some(isMailbox));
    const [mailbox = ""] = fs.readdirSync(spool.at("subscriptions")).filter(isMailbox);
    const listed = await mallory.run(
      async ({ fs: files, attempt, openedBus }, path, directory) => {
        const bus = await openedBus(path);
        const address = `@${directory}`;
        for (let i = 0; i < 20; i++) await bus.publish(address, "mallory's", { correlationId: "x" });
        return attempt(() => files.readdirSync(`${path}/subscriptions/${directory}/new`));
      },
      spool.path,
      mailbox,
    );
    assert.equal(listed, "EACCES");
    assert.deepEqual(await asked, ["alice's", alice.name]);
    await alice.run(({ keep }) => (keep["responder"] as () => Promise<void>)());
  });

  test("cannot have another's question answered with what was asked by somebody else", async () => {
    const { alice, bob, mallory } = spool;
    await alice.run(async ({ openedBus, delay }, path) => {
      const bus = await openedBus(path);
      await bus.respond(
        `@${bus.user}`,
        async ({ data }) => {
          if (data === "bob's question") await delay(500);
          return `the answer to ${String(data)}`;
        },
        { concurrency: 10 },
      );
    }, spool.path);
    await mallory.run(
      async ({ openedBus, nextUlids }, path, victim) => {
        const bus = await openedBus(path);
        // She is asked something as well, at the same moment; so she knows where bob waits, and about which id.
        await bus.subscribe("open.question", async ({ id, envelope }) => {
          for (const guess of nextUlids(id, 5)) {
            await bus.publish(victim, "mallory's question", { id: guess, replyTo: envelope.replyto });
          }
        });
      },
      spool.path,
      `@${alice.name}`,
    );
    const answer = await bob.run(
      async ({ openedBus }, path, to) => {
        const bus = await openedBus(path);
        const open = bus.request("open.question", "for all", { timeoutMs: 1_000 }).catch(() => undefined);
        const direct = bus.request(to, "bob's question", { timeoutMs: 10_000 });
        await open;
        return (await direct).data;
      },
      spool.path,
      `@${alice.name}`,
    );
    assert.equal(answer, "the answer to bob's question");
  });
});
