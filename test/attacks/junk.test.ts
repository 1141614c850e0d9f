import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, beforeEach, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import type { Tools } from "../support/person.js";
import { lettersIn, park, publish as publishAs, Receiver, tally } from "./receiver.js";

/** Puts junk into a drop box, most of it under names that sort before every message. */
type Plant = (tools: Tools, place: { box: string; home: string; spool: string; me: string }) => unknown;

/** What a member can leave in a drop box, and why each is refused. */
const JUNK: Readonly<Record<string, readonly [reasons: Record<string, number>, plant: Plant]>> = {
  "FIFOs, more than libuv has threads": [
    { "not-a-file": 12 },
    ({ spawnSync, messageName }, { box }) => {
      for (let i = 0; i < 12; i++) spawnSync("mkfifo", ["-m", "666", `${box}/${messageName(0)}`]);
    },
  ],
  "a FIFO with somebody at its other end": [
    { "not-a-file": 1 },
    async ({ fs: files, spawnSync, spawn, messageName, delay }, { box, home }) => {
      spawnSync("mkfifo", ["-m", "666", `${home}/fifo`]);
      spawn("sh", ["-c", `exec 3<>"$0/fifo"; touch "$0/open"; exec sleep 600`, home], { stdio: "ignore" });
      while (!files.existsSync(`${home}/open`)) await delay(5);
      files.unlinkSync(`${home}/open`);
      files.renameSync(`${home}/fifo`, `${box}/${messageName(0)}`);
    },
  ],
  "a socket": [
    { "not-a-file": 1 },
    async ({ fs: files, net, messageName }, { box, home }) => {
      // Bound where its path is short enough, and moved.
      await new Promise<void>((resolve) => net.createServer().listen(`${home}/s`, resolve));
      files.renameSync(`${home}/s`, `${box}/${messageName(0)}`);
    },
  ],
  "a device": [
    { "not-a-file": 1 },
    ({ spawnSync, messageName }, { box }) => spawnSync("mknod", [`${box}/${messageName(0)}`, "c", "0", "0"]),
  ],
  "symbolic links, to files, devices, directories, nowhere and themselves": [
    { "not-a-file": 6 },
    ({ fs: files, messageName }, { box }) => {
      const self = messageName(0);
      for (const target of ["/etc/shadow", "/dev/zero", "/", `${box}/../cur`, "/nowhere"])
        files.symlinkSync(target, `${box}/${messageName(0)}`);
      files.symlinkSync(self, `${box}/${self}`);
    },
  ],
  "directories, empty and filled, shut and open to everybody": [
    { "not-a-file": 10 },
    ({ fs: files, messageName }, { box }) => {
      for (const mode of [0o000, 0o755, 0o777, 0o1777, 0o3777]) {
        for (const isFilled of [false, true]) {
          const dir = `${box}/.${messageName(0)}`;
          files.mkdirSync(dir);
          if (isFilled) files.writeFileSync(`${dir}/${messageName(0)}`, "x");
          files.chmodSync(dir, mode);
          files.renameSync(dir, dir.replace("/.", "/"));
        }
      }
    },
  ],
  "a terabyte of nothing": [
    { "too-large": 1 },
    ({ fs: files, messageName }, { box, spool, me }) => {
      const draft = `${spool}/outbox/${me}/sparse`;
      files.closeSync(files.openSync(draft, "wx"));
      files.chmodSync(draft, 0o640);
      files.truncateSync(draft, 2 ** 40);
      files.renameSync(draft, `${box}/${messageName(0)}`);
    },
  ],
  "more bytes and more envelopes than a file may hold": [
    { "too-large": 3 },
    ({ envelope, messageName, post }, { box, spool, me }) => {
      const big = envelope(me, "siege.one", { priority: 0, data: "x".repeat(5_000_000) });
      post(spool, me, JSON.stringify(big), `${box}/${messageName(0)}`);
      post(spool, me, "x".repeat(9_000_000), `${box}/${messageName(0)}`);
      post(spool, me, "{}\n".repeat(10_001), `${box}/${messageName(0)}`);
    },
  ],
  "files that its reader may not read": [
    { unreadable: 2 },
    ({ fs: files, messageName }, { box, spool, me }) => {
      for (const mode of [0o000, 0o600]) {
        const draft = `${spool}/outbox/${me}/shut`;
        files.writeFileSync(draft, "{}", { mode });
        files.renameSync(draft, `${box}/${messageName(0)}`);
      }
    },
  ],
  "what is not JSON in UTF-8": [
    { "invalid-json": 8 },
    ({ envelope, messageName, post }, { box, spool, me }) => {
      const whole = JSON.stringify(envelope(me, "siege.one", { priority: 0, data: "ü" }));
      const texts = ["", "\n\n\n", "x", "\0".repeat(10_000), whole.slice(0, -1), `\ufeff${whole}`, `${whole}\u0000`];
      for (const text of texts) post(spool, me, text, `${box}/${messageName(0)}`);
      post(spool, me, Buffer.from(whole, "latin1"), `${box}/${messageName(0)}`);
    },
  ],
  "what is JSON and no envelope": [
    { "invalid-envelope": 10 },
    ({ envelope, messageName, post }, { box, spool, me }) => {
      const whole = envelope(me, "siege.one", { id: "1" });
      const values = [
        null,
        [],
        "text",
        42,
        {},
        [whole],
        { ...whole, id: { toString: "x" } },
        { ...whole, time: "2026-99-99T00:00:00Z" },
        { ...whole, "\u001b[2J\nterminal": {} },
      ];
      for (const value of values) post(spool, me, JSON.stringify(value), `${box}/${messageName()}`);
      const inherited = `{"__proto__": ${JSON.stringify(whole)}, "constructor": {"prototype": {"isAdmin": true}}}`;
      post(spool, me, inherited, `${box}/${messageName()}`);
    },
  ],
  "JSON that is nested deeper than anybody's stack": [
    { "too-large": 4 },
    ({ envelope, messageName, post }, { box, spool, me }) => {
      const nested = (depth: number) => {
        const data = `${"[".repeat(depth)}${"]".repeat(depth)}`;
        return JSON.stringify(envelope(me, "siege.one", { priority: 0, data: "DATA" })).replace('"DATA"', data);
      };
      const objects = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
      const texts = [nested(1_000), nested(1_000_000), "[".repeat(4_000_000), objects];
      for (const text of texts) post(spool, me, text, `${box}/${messageName(0)}`);
    },
  ],
  "names that no terminal, no program and no UTF-8 would like": [
    { "bad-name": 9 },
    ({ fs: files, messageName }, { box }) => {
      const good = messageName(0);
      const names = [
        "a\nb",
        "\u001b]0;owned\u0007",
        "-rf",
        "x".repeat(255),
        " ",
        `${good}.json`,
        good.toUpperCase(),
        "new",
      ];
      const paths: Buffer[] = [
        ...names.map((name) => Buffer.from(`${box}/${name}`)),
        Buffer.concat([Buffer.from(`${box}/`), Buffer.from([0xff, 0xfe, 0x80])]),
      ];
      for (const path of paths) files.writeFileSync(path, "x");
    },
  ],
  "messages that were not meant for it": [
    { "not-for-this-subscription": 4, hops: 1 },
    ({ envelope, messageName, post }, { box, spool, me }) => {
      const others = [
        envelope(me, "elsewhere.one"),
        envelope(me, "siege"),
        envelope(me, "siege.one", { to: "@somebody" }),
        envelope(me, "siege.one", { to: `@${me}` }),
        envelope(me, "siege.one", { hops: 17 }),
      ];
      for (const other of others)
        post(spool, me, JSON.stringify(other), `${box}/${messageName(5, other["id"] as string)}`);
    },
  ],
};

describe("junk in a drop box", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  let home: string;
  before(async () => {
    spool = await GroupSpool.make();
  });
  after(() => spool.end());
  beforeEach(() => {
    home = spool.home(spool.mallory);
  });

  const publish = (topic: string, data: unknown) => publishAs(spool.bob, spool.path, topic, data);

  function plant(action: Plant, box: string): Promise<unknown> {
    return spool.mallory.run(action, { box, home, spool: spool.path, me: spool.mallory.name });
  }

  for (const [index, [what, [reasons, action]]] of Object.entries(JUNK).entries()) {
    test(`${what}: refused, counted, kept in dead/, and the messages behind it are delivered in order`, async () => {
      const { alice, mallory } = spool;
      const name = `siege-${index}`;
      await park(alice, spool.path, name, "siege.*");
      const dir = spool.of(alice, name);
      // Before it is read, and while it is.
      await publish("siege.one", 1);
      await plant(action, `${dir}/new`);
      await publish("siege.two", 2);
      const receiver = await Receiver.open(alice, spool.path, "siege.*", { durable: name });
      const expected = Object.values(reasons).reduce((a, b) => a + b);
      await receiver.untilReceived(2);
      await receiver.untilRefused(expected);
      await plant(action, `${dir}/new`);
      await publish("siege.one", 3);
      await receiver.untilReceived(3);
      await receiver.untilRefused(2 * expected);
      const twice = Object.fromEntries(Object.entries(reasons).map(([reason, count]) => [reason, 2 * count]));
      assert.deepEqual((await receiver.stats()).refused, twice);
      assert.deepEqual(await receiver.data(), [1, 2, 3]);
      await receiver.close();

      const letters = lettersIn(dir);
      assert.deepEqual(tally(letters.map(({ reason }) => reason)), twice);
      for (const { sender, file, detail } of letters) {
        assert.deepEqual(sender, { uid: mallory.uid, user: mallory.name });
        assert.match(file, /^[\x20-\x7e]{1,200}$/);
        assert.match(detail, /^[\x20-\x7e]{1,1000}$/);
      }
      // Nothing waits, nothing is in work, and nothing that can be mistaken for a message is left.
      const left = ["new", "cur", "retry"].flatMap((part) => fs.readdirSync(`${dir}/${part}`));
      assert.deepEqual(
        left.filter((each) => !each.startsWith(".")),
        [],
      );
      await spool.alice.run(
        async ({ openedBus }, path, which) => (await openedBus(path)).unsubscribe(which),
        spool.path,
        name,
      );
    });
  }

  test("thousands of junk files: most are only counted, and the messages between them arrive meanwhile", async () => {
    const { alice, mallory } = spool;
    await park(alice, spool.path, "thousands", "siege.*");
    const dir = spool.of(alice, "thousands");
    await publish("siege.one", 1);
    await mallory.run(
      ({ fs: files, messageName }, box, { spool: path, me }) => {
        const draft = `${path}/outbox/${me}/junk`;
        files.writeFileSync(draft, "x");
        files.chmodSync(draft, 0o640);
        for (let i = 0; i < 5_000; i++) {
          files.linkSync(draft, `${box}/junk ${i}`);
          files.linkSync(draft, `${box}/${messageName(0)}`);
        }
      },
      `${dir}/new`,
      { spool: spool.path, me: mallory.name },
    );
    await publish("siege.two", 2);
    const receiver = await Receiver.open(alice, spool.path, "siege.*", { durable: "thousands" });
    // While it clears away, it answers.
    let answers = 0;
    const asking = (async () => {
      while ((await receiver.data()).length < 2) answers++;
    })();
    await publish("siege.one", 3);
    await receiver.untilReceived(3);
    await asking;
    assert.ok(answers > 3, String(answers));
    assert.deepEqual(await receiver.data(), [1, 2, 3]);
    await receiver.untilRefused(10_000);
    assert.deepEqual((await receiver.stats()).refused, { "bad-name": 5_000, "invalid-json": 5_000 });
    // A neighbour's junk does not fill its receiver's disk.
    assert.equal(lettersIn(dir).length, 1_000);
    // Messages may have come in a stream, whose seal stays for a minute.
    const left = fs.readdirSync(`${dir}/new`).filter((name) => !name.endsWith(".sealed"));
    assert.deepEqual(left, []);
    await receiver.close();
  });

  test("files under a lease: nobody waits for their holder, and they are delivered when it lets go", async () => {
    const { alice, bob, mallory } = spool;
    const receiver = await Receiver.open(alice, spool.path, "siege.*", { durable: "leased" });
    await mallory.run(
      async ({ fs: files, lease, envelope, messageName }, path, me, box) => {
        for (let i = 0; i < 3; i++) {
          const draft = `${path}/outbox/${me}/leased-${i}`;
          files.writeFileSync(draft, JSON.stringify(envelope(me, "siege.leased", { priority: 0, data: "leased" })));
          files.chmodSync(draft, 0o640);
          await lease(draft);
          files.renameSync(draft, `${box}/${messageName(0)}`);
        }
      },
      spool.path,
      mallory.name,
      spool.of(alice, "leased", "new"),
    );
    for (const data of [1, 2, 3]) await publish("siege.one", data);
    await receiver.untilReceived(3);
    assert.deepEqual(await receiver.data(), [1, 2, 3]);
    await mallory.run(({ endLeases }) => endLeases());
    const received = await receiver.untilReceived(6);
    assert.deepEqual(
      received.map(({ sender }) => sender),
      [...Array.from({ length: 3 }, () => bob.name), ...Array.from({ length: 3 }, () => mallory.name)],
    );
    assert.deepEqual((await receiver.stats()).refused, {});
    await receiver.close();
  });

  test("a lease on what a dead receiver had in work: the next one starts all the same, and brings it back later", async () => {
    const { alice, mallory } = spool;
    const worker = await spool.another(alice);
    const options = { durable: "revived", behaviour: "holds" } as const;
    const first = await Receiver.open(worker, spool.path, "siege.*", options);
    const link = `${spool.path}/outbox/${mallory.name}/kept`;
    await mallory.run(
      ({ fs: files, envelope, messageName }, path, me, box) => {
        const lines = [1, 2].map((data) => JSON.stringify(envelope(me, "siege.leased", { data: `mallory's ${data}` })));
        files.writeFileSync(path, `${lines.join("\n")}\n`);
        files.chmodSync(path, 0o640);
        files.linkSync(path, `${box}/${messageName()}`);
      },
      link,
      mallory.name,
      spool.of(alice, "revived", "new"),
    );
    await first.untilReceived(1);
    await worker.kill();
    await mallory.run(({ lease }, path) => lease(path), link);
    const second = await Receiver.open(alice, spool.path, "siege.*", { durable: "revived" });
    await publish("siege.one", "bob's");
    await second.untilReceived(1);
    assert.deepEqual(await second.data(), ["bob's"]);
    await mallory.run(({ endLeases }) => endLeases());
    await second.untilReceived(3);
    assert.deepEqual(await second.data(), ["bob's", "mallory's 1", "mallory's 2"]);
    await second.close();
  });

  test("what has expired is dropped, and what is not addressed to an inbox does not come out of it", async () => {
    const { alice, mallory } = spool;
    const receiver = await Receiver.open(alice, spool.path, `@${alice.name}`);
    await mallory.run(
      ({ envelope, messageName, post }, path, me, box, to) => {
        const send = (topic: string, more: Record<string, unknown>) => {
          const message = envelope(me, topic, more);
          post(path, me, JSON.stringify(message), `${box}/${messageName(5, message["id"] as string)}`);
        };
        send("direct", { to, expirytime: "2020-01-01T00:00:00Z" });
        send("direct", { to: `${to}x` });
        send("direct", {});
        send("direct", { to: `${to}~inbox` });
        send("direct", { to, data: "in time", expirytime: "2999-01-01T00:00:00Z" });
      },
      spool.path,
      mallory.name,
      spool.of(alice, "inbox", "new"),
      `@${alice.name}`,
    );
    await receiver.untilReceived(1);
    assert.deepEqual(await receiver.untilRefused(3), { "not-for-this-subscription": 3 });
    assert.deepEqual(await receiver.data(), ["in time"]);
    assert.equal((await receiver.stats()).expired, 1);
    await receiver.close();
  });
});
