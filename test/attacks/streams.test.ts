import assert from "node:assert/strict";
import fs from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { until } from "../support/personal-spool.js";
import type { Person, Tools } from "../support/person.js";
import { lettersIn, park, publish as publishAs, Receiver, tally } from "./receiver.js";

const PATTERN = "siege.*";
/** How long a message of somebody else may take, in milliseconds. */
const SOON_MS = 1_000;

/** Publishers remember a subscription, and so append, only when its record is some milliseconds old. */
const UNTIL_KNOWN_MS = 100;

/** A line of a planted stream: an envelope of its owner's with this data, or a text as it is. */
type Line = { readonly data: unknown; readonly more?: Record<string, unknown> } | string;

describe("streams of a neighbour, and neighbours of a stream", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  let alice: Person;
  let name: string;
  let box: string;
  let rounds = 0;
  before(async () => {
    spool = await GroupSpool.make();
  });
  after(() => spool.end());
  beforeEach(async () => {
    alice = await spool.another(spool.alice);
    name = `streams-${rounds++}`;
    box = spool.of(alice, name, "new");
  });
  afterEach(async () => {
    await alice.kill();
    await spool.alice.run(
      async ({ openedBus }, path, which) => (await openedBus(path)).unsubscribe(which),
      spool.path,
      name,
    );
  });

  const publish = (data: unknown) => publishAs(spool.bob, spool.path, "siege.bob", data);

  /** @param rescanMs what does not grow for that long, or twice that, is sealed */
  async function receive(rescanMs = 3_000): Promise<Receiver> {
    await alice.run(
      async ({ createBus, keep }, path, ms) => void (keep.bus ??= await createBus({ spool: path, rescanMs: ms })),
      spool.path,
      rescanMs,
    );
    const receiver = await Receiver.open(alice, spool.path, PATTERN, { durable: name });
    await delay(UNTIL_KNOWN_MS);
    return receiver;
  }

  /** A stream of mallory's in the drop box, which goes on growing. */
  function plant(key: string, lines: readonly Line[], fileName?: string): Promise<string> {
    return spool.mallory.run(plantStream, { key, lines, fileName, spool: spool.path, me: spool.mallory.name, box });
  }

  function append(key: string, lines: readonly Line[]): Promise<void> {
    return spool.mallory.run(appendLines, { key, lines, me: spool.mallory.name });
  }

  async function assertDelivers(receiver: Receiver, data: unknown, withinMs = SOON_MS): Promise<void> {
    const began = performance.now();
    await publish(data);
    await until(async () => (await receiver.data()).includes(data));
    const tookMs = performance.now() - began;
    assert.ok(tookMs < withinMs, `${String(data)} took ${tookMs} ms`);
  }

  test("it is cut off, and something else written: nothing comes twice, and nothing crashes", async () => {
    const receiver = await receive();
    await plant("cut", [{ data: "m1" }, { data: "m2" }]);
    await receiver.untilReceived(2);
    await spool.mallory.run(({ fs: files, keep }) => files.ftruncateSync(keep["cut"] as number, 0));
    await assertDelivers(receiver, "b1");
    await spool.mallory.run(({ fs: files, keep, envelope }, me) => {
      const lines = [1, 2, 3, 4].map((i) => JSON.stringify(envelope(me, "siege.mallory", { data: `new ${i}` })));
      files.writeSync(keep["cut"] as number, `${lines.join("\n")}\n`, 0);
    }, spool.mallory.name);
    await assertDelivers(receiver, "b2");
    await receiver.close();
    const again = await receive();
    await assertDelivers(again, "b3");
    const data = [...(await receiver.data()), ...(await again.data())];
    assert.equal(new Set(data).size, data.length, String(data));
    assert.deepEqual(
      data.filter((each) => /^[mb]\d/.test(each as string)),
      ["m1", "m2", "b1", "b2", "b3"],
    );
    await again.close();
  });

  test("lines that were delivered are written anew: they stay delivered, also after a restart in the middle", async () => {
    const receiver = await receive();
    await plant("anew", [{ data: "m1" }, { data: "m2" }]);
    await receiver.untilReceived(2);
    await receiver.behave("holds");
    await append("anew", [{ data: "m3" }]);
    await receiver.untilReceived(3);
    await spool.mallory.run(({ fs: files, keep, envelope }, me) => {
      // Of the same length, with ids of before: a file whose name comes before its message is refused as a whole.
      const lines = [1, 2].map((i) =>
        JSON.stringify(envelope(me, "siege.mallory", { data: `x${i}`, id: `0000000000000000000000000${i}` })),
      );
      files.writeSync(keep["anew"] as number, `${lines.join("\n")}\n`, 0);
    }, spool.mallory.name);
    await append("anew", [{ data: "m4" }]);
    await receiver.close();
    const again = await receive();
    await again.untilReceived(2);
    await assertDelivers(again, "b1");
    assert.deepEqual(await receiver.data(), ["m1", "m2", "m3"]);
    assert.deepEqual(await again.data(), ["m3", "m4", "b1"]);
    await again.close();
    assert.deepEqual(fs.readdirSync(spool.of(alice, name, "cur")), []);
  });

  test("a line of many megabytes without an end: everybody else is heard, and what follows its end is, too", async () => {
    const receiver = await receive();
    await plant("long", [{ data: "m1" }]);
    await receiver.untilReceived(1);
    for (let i = 0; i < 5; i++) {
      await spool.mallory.run(({ fs: files, keep }) => {
        files.writeSync(keep["long"] as number, "x".repeat(1_000_000));
      });
      await assertDelivers(receiver, `b${i}`);
    }
    await append("long", ["", { data: "m2" }]);
    await receiver.untilReceived(7);
    assert.deepEqual((await receiver.stats()).refused, { "invalid-json": 1 });
    // More than a file may hold is nobody's message.
    await spool.mallory.run(({ fs: files, keep }) => {
      files.writeSync(keep["long"] as number, "x".repeat(20_000_000));
    });
    await append("long", ["", { data: "m3" }]);
    await assertDelivers(receiver, "b5");
    assert.deepEqual(await receiver.data(), ["m1", "b0", "b1", "b2", "b3", "b4", "m2", "b5"]);
    await receiver.close();
  });

  test("as many long lines at once as there may be streams: everybody else is heard", async () => {
    const receiver = await receive();
    for (let i = 0; i < 64; i++) await plant(`heavy ${i}`, [{ data: `m${i}` }]);
    await receiver.untilReceived(64);
    const began = await alice.run(() => process.cpuUsage());
    await spool.mallory.run(({ fs: files, keep }) => {
      for (let i = 0; i < 64; i++) files.ftruncateSync(keep[`heavy ${i}`] as number, 7_900_000);
    });
    // Half a gigabyte is read first; were each piece of a line added to a copy of the line, that would take ten times as long.
    await assertDelivers(receiver, "b1", Infinity);
    const { user, system } = await alice.run((_, since) => process.cpuUsage(since), began);
    assert.ok(user + system < 3_000_000, `${user + system} µs of a processor`);
    for (const data of ["b2", "b3"]) await assertDelivers(receiver, data);
    await receiver.close();
  });

  test("lines that are no messages: refused, with the right sender, and the lines around them delivered", async () => {
    const receiver = await receive();
    const { mallory, bob } = spool;
    await plant("junk", [{ data: "m1" }, "{", "\u0000", { data: "m2" }]);
    await spool.mallory.run(
      ({ fs: files, keep, envelope }, me, other) => {
        const fd = keep["junk"] as number;
        const whole = JSON.stringify(envelope(me, "siege.mallory", { data: "ü" }));
        files.writeSync(fd, Buffer.from(`${whole}\n`, "latin1"));
        for (const depth of [1_000, 100_000]) {
          const data = `${"[".repeat(depth)}${"]".repeat(depth)}`;
          files.writeSync(fd, `${whole.replace('"ü"', data)}\n`);
        }
        files.writeSync(fd, `${JSON.stringify(envelope(other, "siege.mallory", { data: "as another" }))}\n`);
        files.writeSync(fd, `${JSON.stringify(envelope(me, "elsewhere"))}\n \n\t\n`);
      },
      mallory.name,
      bob.name,
    );
    // An empty line ends a stream: nobody looks at what is behind it.
    await append("junk", [{ data: "m3" }, "", { data: "behind the end" }, "{"]);
    await receiver.untilReceived(3);
    await assertDelivers(receiver, "b1");
    const expected = { "invalid-json": 5, "forged-source": 1, "not-for-this-subscription": 1 };
    assert.deepEqual((await receiver.stats()).refused, expected);
    assert.deepEqual(await receiver.data(), ["m1", "m2", "m3", "b1"]);
    const letters = lettersIn(spool.of(alice, name));
    assert.deepEqual(tally(letters.map(({ reason }) => reason)), expected);
    for (const { sender } of letters) assert.deepEqual(sender, { uid: mallory.uid, user: mallory.name });
    await receiver.close();
  });

  test("10,100 short lines: refused, and everybody else is heard", async () => {
    const receiver = await receive();
    await plant("many", [{ data: "m1" }, "{}\n".repeat(10_099).trimEnd()]);
    // It comes after these, each of which is noted and the first thousand of them kept.
    await assertDelivers(receiver, "b1", 10_000);
    await receiver.untilRefused(9_000);
    await append("many", [{ data: "too late" }]);
    await assertDelivers(receiver, "b2");
    assert.deepEqual(await receiver.data(), ["m1", "b1", "b2"]);
    assert.ok(lettersIn(spool.of(alice, name)).length <= 1_000);
    await receiver.close();
  });

  test("seals that a neighbour makes for each message of another: all arrive, once and in order", async () => {
    const receiver = await receive(50);
    const { mallory, bob } = spool;
    // It hears what is sent, and so knows the ids.
    await mallory.run(
      async ({ openedBus, keep, fs: files }, path, at) => {
        const seal = (id: string) => `${at}/.5-${id}.sealed`;
        keep["spy"] = await (
          await openedBus(path)
        ).subscribe("siege.*", ({ id, data }) => {
          const way = Number(data) % 4;
          try {
            if (way === 0) files.writeFileSync(seal(id), "");
            if (way === 1) files.symlinkSync("/nowhere", seal(id));
            if (way === 2) files.mkdirSync(seal(id));
            if (way !== 3) return;
            files.writeFileSync(seal(id), "");
            setTimeout(() => files.rmSync(seal(id), { force: true }), 5);
          } catch {
            // There is one already.
          }
        });
      },
      spool.path,
      box,
    );
    await bob.run(async ({ openedBus, delay: wait }, path) => {
      const bus = await openedBus(path);
      for (let i = 0; i < 400; i++) {
        await bus.publish("siege.bob", i);
        if (i % 3 === 0) await wait(i % 50 === 0 ? 150 : 3);
      }
    }, spool.path);
    await receiver.untilReceived(400);
    await delay(300);
    assert.deepEqual(
      await receiver.data(),
      Array.from({ length: 400 }, (_, i) => i),
    );
    await mallory.run(({ keep }) => (keep["spy"] as { close(): Promise<void> }).close());
    await receiver.close();
    assert.deepEqual(fs.readdirSync(spool.of(alice, name, "cur")), []);
  });

  for (const [what, make] of [
    ["file", "writeFileSync"],
    ["link to nowhere", "symlinkSync"],
    ["directory", "mkdirSync"],
  ] as const) {
    test(`a neighbour's ${what} in the place of a seal, removed when it was relied upon: no message is lost`, async () => {
      const receiver = await receive(150);
      const { bob, mallory } = spool;
      const send = (data: unknown) =>
        bob.run(
          async ({ openedBus }, path, what_) => (await (await openedBus(path)).publish("siege.bob", what_)).id,
          spool.path,
          data,
        );
      await send(0);
      await receiver.untilReceived(1);
      await receiver.behave("holds");
      const id = await send(1);
      const seal = `${box}/.5-${id}.sealed`;
      const planted = await mallory.run(
        ({ fs: files, attempt }, how, path) =>
          attempt(() => {
            if (how === "writeFileSync") files.writeFileSync(path, "", { flag: "wx" });
            else if (how === "symlinkSync") files.symlinkSync("/nowhere", path);
            else files.mkdirSync(path);
          }),
        make,
        seal,
      );
      assert.equal(planted, "allowed");
      await receiver.untilReceived(2);
      // It is idle for two looks, and sealed.
      await delay(450);
      await mallory.run(
        ({ fs: files, attempt }, path) => attempt(() => files.rmSync(path, { recursive: true, force: true })),
        seal,
      );
      await send(2);
      await receiver.behave("acks");
      await receiver.untilReceived(3, 3_000);
      assert.deepEqual(await receiver.data(), [0, 1, 2]);
      await receiver.close();
    });
  }

  test("a stream and its seal in another's drop box: only their owners can remove, move or replace them", async () => {
    await park(alice, spool.path, name, PATTERN);
    await delay(UNTIL_KNOWN_MS);
    for (let i = 0; i < 4; i++) await publish(i);
    const streams = fs.readdirSync(box).filter((each) => each.endsWith(".jsonl"));
    assert.equal(streams.length, 1);
    const home = spool.home(spool.mallory);
    const tamper = (target: string) =>
      spool.mallory.run(
        ({ fs: files, attempt, messageName }, place, path, dir) => {
          const own = `${dir}/own`;
          files.writeFileSync(own, "x");
          return [
            () => files.unlinkSync(path),
            () => files.renameSync(path, `${place}/${messageName()}l`),
            () => files.renameSync(path, `${dir}/stolen`),
            () => files.renameSync(own, path),
            () => files.linkSync(own, path),
            () => files.appendFileSync(path, "x"),
            () => files.truncateSync(path),
            () => files.chmodSync(path, 0o666),
          ].map((action) => attempt(action));
        },
        box,
        target,
        home,
      );
    const assertRefused = async (file: string) => {
      for (const outcome of await tamper(`${box}/${file}`)) assert.match(outcome, /^(EPERM|EACCES|EEXIST)$/);
    };
    for (const stream of streams) await assertRefused(stream);
    const receiver = await receive(50);
    const sealed = () => fs.readdirSync(box).filter((each) => each.endsWith(".sealed"));
    await until(() => sealed().length > 0);
    for (const seal of sealed()) await assertRefused(seal);
    await assertDelivers(receiver, 4);
    assert.deepEqual(await receiver.data(), [0, 1, 2, 3, 4]);
    await receiver.close();
  });

  test("70 streams that are kept growing: another's messages arrive within a second", async () => {
    const receiver = await receive(200);
    for (let i = 0; i < 70; i++) await plant(`open ${i}`, [{ data: `m${i}` }]);
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 70 }, (_, i) => append(`open ${i}`, [{ data: `m${i} ${round}` }])));
      await assertDelivers(receiver, `b${round}`);
    }
    const data = await receiver.data();
    assert.equal(new Set(data).size, data.length);
    assert.deepEqual(
      data.filter((each) => String(each).startsWith("b")),
      Array.from({ length: 10 }, (_, i) => `b${i}`),
    );
    await receiver.close();
  });

  test("what is named like a stream and is none: refused with a reason, and nobody waits for it", async () => {
    const receiver = await receive();
    await publish("b1");
    await receiver.untilReceived(1);
    const { mallory } = spool;
    await mallory.run(
      ({ fs: files, spawnSync, messageName, envelope, post }, at, { path, me }) => {
        const target = () => `${at}/${messageName(0)}l`;
        spawnSync("mkfifo", ["-m", "666", target()]);
        files.symlinkSync("/etc/shadow", target());
        files.mkdirSync(target());
        post(path, me, "", target());
        post(path, me, JSON.stringify(envelope(me, "siege.mallory")), target());
        const open = post(
          path,
          me,
          `${JSON.stringify(envelope(me, "siege.mallory", { priority: 0 }))}\n`,
          `${at}/.open`,
        );
        files.chmodSync(open, 0o666);
        files.renameSync(open, target());
        const shut = post(path, me, "{}\n", `${at}/.shut`);
        files.chmodSync(shut, 0o600);
        files.renameSync(shut, target());
        const huge = post(path, me, "{}\n", `${at}/.huge`);
        files.truncateSync(huge, 2 ** 36);
        files.renameSync(huge, target());
      },
      box,
      { path: spool.path, me: mallory.name },
    );
    await assertDelivers(receiver, "b2");
    await receiver.untilRefused(6);
    assert.deepEqual(await receiver.data(), ["b1", "b2"]);
    await receiver.close();
    const { refused } = await receiver.stats();
    assert.deepEqual(
      { ...refused, "invalid-json": undefined },
      { "not-a-file": 3, "forged-source": 1, unreadable: 1, "too-large": 1, "invalid-json": undefined },
    );
    for (const { sender } of lettersIn(spool.of(alice, name)))
      assert.deepEqual(sender, { uid: mallory.uid, user: mallory.name });
  });

  test("ids of long ago and of the far future: in front of nobody's messages that were there before", async () => {
    const receiver = await receive();
    await receiver.behave("holds");
    for (const data of ["b0", "b1", "b2"]) await publish(data);
    await delay(5);
    await plant("times", [
      { data: "old", more: { id: "00000000000000000000000001" } },
      { data: "future", more: { id: "7ZZZZZZZZZZZZZZZZZZZZZZZZZ" } },
      { data: "urgent", more: { id: "00000000000000000000000002", priority: 0 } },
    ]);
    await delay(5);
    for (const data of ["b3", "b4"]) await publish(data);
    await receiver.untilReceived(1);
    await receiver.behave("acks");
    const received = await receiver.untilReceived(8);
    assert.deepEqual(
      received.map(({ data }) => data),
      ["b0", "b1", "b2", "old", "b3", "b4", "future", "urgent"],
    );
    await receiver.close();
  });

  test("another's stream, moved under a name that comes before everything: its messages keep their place", async () => {
    const { mallory } = spool;
    const own = `spoils-${name}`;
    await park(alice, spool.path, name, PATTERN);
    await publish("b0");
    // Mallory gets the same messages from here on, and may do with its files as it likes.
    await park(mallory, spool.path, own, PATTERN);
    await delay(UNTIL_KNOWN_MS);
    for (const data of ["b1", "b2", "b3"]) await publish(data);
    const spoils = spool.of(mallory, own, "new");
    const stream = fs.readdirSync(spoils).find((each) => each.endsWith(".jsonl")) ?? "";
    await mallory.run(
      ({ fs: files }, from, at) => files.renameSync(from, `${at}/0-00000000000000000000000001-${"a".repeat(26)}.jsonl`),
      `${spoils}/${stream}`,
      box,
    );
    const receiver = await receive();
    await receiver.untilReceived(4);
    await assertDelivers(receiver, "b4");
    assert.deepEqual(await receiver.data(), ["b0", "b1", "b2", "b3", "b4"]);
    await receiver.close();
    await mallory.run(
      async ({ openedBus }, path, which) => (await openedBus(path)).unsubscribe(which),
      spool.path,
      own,
    );
  });
});

interface Planting {
  readonly key: string;
  readonly lines: readonly Line[];
  readonly me: string;
}

function plantStream(
  { fs: files, keep, envelope, messageName, ulid }: Tools,
  { key, lines, fileName, spool, me, box }: Planting & { fileName: string | undefined; spool: string; box: string },
): string {
  const draft = `${spool}/outbox/${me}/.${ulid()}`;
  const fd = files.openSync(draft, "wx");
  files.fchmodSync(fd, 0o640);
  keep[key] = fd;
  for (const line of lines) {
    const text =
      typeof line === "string"
        ? line
        : JSON.stringify(envelope(me, "siege.mallory", { data: line.data, ...line.more }));
    files.writeSync(fd, `${text}\n`);
  }
  const target = `${box}/${fileName ?? `${messageName()}l`}`;
  files.linkSync(draft, target);
  files.unlinkSync(draft);
  return target;
}

function appendLines({ fs: files, keep, envelope }: Tools, { key, lines, me }: Planting): void {
  const fd = keep[key] as number;
  for (const line of lines) {
    const text =
      typeof line === "string"
        ? line
        : JSON.stringify(envelope(me, "siege.mallory", { data: line.data, ...line.more }));
    files.writeSync(fd, `${text}\n`, files.fstatSync(fd).size);
  }
}
