import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Receiver } from "../attacks/receiver.js";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { until } from "../support/personal-spool.js";
import type { Person } from "../support/person.js";
import { writePrograms } from "./programs.js";

// Root's own python3 may be one that nobody else can run.
const NEEDS_PYTHON = fs.existsSync("/usr/bin/python3") ? false : "skipped: there is no /usr/bin/python3";

describe("between accounts, under the umask 077", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  let programs: ReturnType<typeof writePrograms>;
  before(async () => {
    spool = await GroupSpool.make();
    programs = writePrograms(spool.scratchDir);
  });
  after(() => spool.end());

  /** Runs a program to its end, as somebody. */
  async function run(person: Person, command: string, ...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await person.run(
      ({ spawnSync }, path, program, words) =>
        spawnSync(program, words, {
          env: { PATH: "/usr/bin:/bin", AGENTBUS_SPOOL: path, PYTHONDONTWRITEBYTECODE: "1" },
          encoding: "utf8",
        }),
      spool.path,
      command,
      args,
    );
    assert.equal(status, 0, stderr);
    return stdout.trim();
  }

  const python = (person: Person, ...args: string[]) => run(person, "/usr/bin/python3", programs.python, ...args);

  /** Starts a program that ends with the person's process. */
  function start(person: Person, command: string, ...args: string[]): Promise<void> {
    return person.run(
      ({ spawn, keep }, path, program, words) => {
        const env = { PATH: "/usr/bin:/bin", AGENTBUS_SPOOL: path, PYTHONDONTWRITEBYTECODE: "1" };
        const child = spawn(program, words, { env, stdio: ["ignore", "pipe", "inherit"] });
        const output = { text: "" };
        child.stdout.on("data", (chunk) => (output.text += String(chunk)));
        process.on("exit", () => child.kill("SIGKILL"));
        keep["child"] = child;
        keep["output"] = output;
      },
      spool.path,
      command,
      args,
    );
  }

  const outputOf = (person: Person) =>
    person.run(({ keep }) => (keep["output"] as { text: string }).text.split("\n").slice(0, -1));

  /** Ends what `start` started, and waits until it is gone. */
  function stop(person: Person): Promise<void> {
    return person.run(async ({ keep }) => {
      const child = keep["child"] as ChildProcess;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
      child.kill("SIGKILL");
      await ended;
    });
  }

  const publish = (person: Person, to: string, data: unknown) =>
    person.run(
      async ({ openedBus }, path, destination, what) =>
        (await (await openedBus(path)).publish(destination, what)).subscriptions,
      spool.path,
      to,
      data,
    );

  test("what bob publishes from sh reaches alice, by his name", async () => {
    const { alice, bob } = spool;
    const builds = await Receiver.open(alice, spool.path, "build.**", { durable: "sh" });
    const inbox = await Receiver.open(alice, spool.path, `@${alice.name}`);
    await run(bob, programs.publish, "build.done", '{"n":1}');
    await run(bob, programs.publish, `@${alice.name}`, '"please review"');
    await until(async () => (await builds.received()).length === 1 && (await inbox.received()).length === 1);
    const received = [...(await builds.received()), ...(await inbox.received())];
    assert.deepEqual(
      received.map(({ sender, data }) => [sender, data]),
      [
        [bob.name, { n: 1 }],
        [bob.name, "please review"],
      ],
    );
    await builds.close();
    await inbox.close();
  });

  test(
    "what bob publishes from Python reaches alice, and is counted in her inbox while it waits",
    { skip: NEEDS_PYTHON },
    async () => {
      const { alice, bob } = spool;
      const builds = await Receiver.open(alice, spool.path, "build.**", { durable: "python" });
      await python(bob, "publish", "build.done", '{"n":2}');
      await python(bob, "publish", `@${alice.name}`, '"first"');
      await python(bob, "publish", `@${alice.name}`, '"second"');
      assert.equal(fs.readdirSync(spool.of(alice, "inbox", "tally")).length, 2);
      const inbox = await Receiver.open(alice, spool.path, `@${alice.name}`);
      await until(async () => (await builds.received()).length === 1 && (await inbox.received()).length === 2);
      assert.deepEqual(await inbox.data(), ["first", "second"]);
      assert.deepEqual(await builds.data(), [{ n: 2 }]);
      assert.deepEqual(fs.readdirSync(spool.of(alice, "inbox", "tally")), []);
      for (const { sender } of [...(await builds.received()), ...(await inbox.received())])
        assert.equal(sender, bob.name);
      await builds.close();
      await inbox.close();
    },
  );

  test("a subscription that alice makes in sh has the modes of the table, and tells her who publishes", async () => {
    const { alice, bob } = spool;
    await start(alice, programs.subscribe, "hand", "hand.*", "sh", "-c", 'printf "%s " "$SENDER"; cat');
    await until(() => fs.existsSync(spool.of(alice, "hand")));
    assertModes("hand", { "": 0o2750, "subscription.json": 0o640, new: 0o3770, cur: 0o700, retry: 0o700, dead: 0o700 });
    assert.deepEqual(await publish(bob, "hand.made", { n: 1 }), [`${alice.name}~hand`]);
    await until(async () => (await outputOf(alice)).length === 1);
    const [line = ""] = await outputOf(alice);
    assert.equal(line.split(" ")[0], bob.name);
    assert.deepEqual((JSON.parse(line.slice(line.indexOf(" "))) as { data: unknown }).data, { n: 1 });
    await stop(alice);
  });

  test(
    "a subscription that alice makes in Python refuses what mallory says in bob's name",
    { skip: NEEDS_PYTHON },
    async () => {
      const { alice, bob, mallory } = spool;
      await start(alice, "/usr/bin/python3", programs.python, "subscribe", "snake", "snake.*");
      await until(() => fs.existsSync(spool.of(alice, "snake")));
      assertModes("snake", {
        "": 0o2750,
        "subscription.json": 0o640,
        new: 0o3770,
        cur: 0o700,
        retry: 0o700,
        dead: 0o700,
      });
      await mallory.run(
        ({ fs: files, post, envelope, messageName, join: to }, path, box, me, other) => {
          post(path, me, JSON.stringify(envelope(other, "snake.oil")), to(box, messageName()));
          post(path, me, JSON.stringify(envelope(me, "secret.topic")), to(box, messageName()));
          post(path, me, JSON.stringify(envelope(me, "snake.oil")), to(box, messageName(0)));
          const open = post(path, me, JSON.stringify(envelope(me, "snake.oil")), to(box, messageName()));
          files.chmodSync(open, 0o660);
        },
        spool.path,
        spool.of(alice, "snake", "new"),
        mallory.name,
        bob.name,
      );
      await publish(bob, "snake.bite", 1);
      await until(async () => (await outputOf(alice)).length === 1);
      const { sender, envelope } = JSON.parse((await outputOf(alice))[0] ?? "") as {
        sender: string;
        envelope: { data: unknown };
      };
      assert.deepEqual([sender, envelope.data], [bob.name, 1]);
      const dead = spool.of(alice, "snake", "dead");
      const letters = fs.readdirSync(dead).filter((name) => name.endsWith(".reason.json"));
      const reasons = letters.map(
        (name) => JSON.parse(fs.readFileSync(join(dead, name), "utf8")) as { reason: string; sender: { user: string } },
      );
      assert.deepEqual(reasons.map(({ reason }) => reason).sort(), [
        "bad-name",
        "forged-source",
        "forged-source",
        "not-for-this-subscription",
      ]);
      for (const reason of reasons) assert.equal(reason.sender.user, mallory.name);
      await stop(alice);
    },
  );

  test("neither sh nor Python publishes into a directory that mallory made in alice's name, or turned into a link", async () => {
    const { alice, bob, mallory } = spool;
    const makeIn = (name: string, record: Record<string, unknown>) =>
      mallory.run(
        ({ fs: files, join: to }, dir, text) => {
          files.mkdirSync(dir);
          files.mkdirSync(to(dir, "new"));
          files.writeFileSync(to(dir, "subscription.json"), text);
          for (const each of [dir, to(dir, "new")]) files.chmodSync(each, 0o3777);
          files.chmodSync(to(dir, "subscription.json"), 0o644);
        },
        spool.at("subscriptions", name),
        JSON.stringify({
          layout: 1,
          kind: "durable",
          patterns: ["**"],
          createdAt: new Date().toISOString(),
          ...record,
        }),
      );
    await makeIn(`${alice.name}~squat`, { user: alice.name, name: "squat" });
    // Her own, but what bob puts into it would go where the link leads.
    await makeIn(`${mallory.name}~turned`, { user: mallory.name, name: "turned" });
    const target = spool.home(mallory, 0o777);
    await mallory.run(
      ({ fs: files, join: to }, dir, where) => {
        files.rmdirSync(to(dir, "new"));
        files.symlinkSync(where, to(dir, "new"));
      },
      spool.of(mallory, "turned"),
      target,
    );
    const honest = await Receiver.open(alice, spool.path, "squatted", { durable: "honest" });
    assert.match(await run(bob, programs.publish, "squatted"), new RegExp(`^\\S+ ${alice.name}~honest$`));
    if (NEEDS_PYTHON === false) {
      const [, ...stored] = (await python(bob, "publish", "squatted")).split(" ");
      assert.deepEqual(stored, [`['${alice.name}~honest']`]);
    }
    assert.deepEqual(fs.readdirSync(spool.at("subscriptions", `${alice.name}~squat`, "new")), []);
    assert.deepEqual(fs.readdirSync(target), []);
    await honest.close();
  });

  test("bob asks alice from Python, and she answers him from Python", { skip: NEEDS_PYTHON }, async () => {
    const { alice, bob } = spool;
    await alice.run(
      async ({ openedBus }, path) =>
        void (await (await openedBus(path)).respond("math.double", ({ data }) => (data as number) * 2)),
      spool.path,
    );
    const answer = JSON.parse(await python(bob, "request", "math.double", "21")) as Record<string, unknown>;
    assert.deepEqual([answer["data"], answer["source"]], [42, `/agents/${alice.name}`]);

    const responder = `import agentbus, os
bus = agentbus.Bus(os.environ["AGENTBUS_SPOOL"])
agentbus.subscribe(bus, "halver", "math.halve")
for sender, question in agentbus.messages(bus, "halver"):
    agentbus.answer(bus, sender, question, question["data"] / 2)`;
    await start(alice, "/usr/bin/env", `PYTHONPATH=${spool.scratchDir}`, "/usr/bin/python3", "-c", responder);
    await until(() => fs.existsSync(spool.of(alice, "halver")));
    const reply = await bob.run(async ({ openedBus }, path) => {
      const { data, sender } = await (await openedBus(path)).request("math.halve", 42);
      return [data, sender.user];
    }, spool.path);
    assert.deepEqual(reply, [21, alice.name]);
    await stop(alice);
  });

  function assertModes(name: string, modes: Record<string, number>): void {
    const gid = fs.statSync(spool.path).gid;
    for (const [part, mode] of Object.entries(modes)) {
      const stat = fs.statSync(spool.of(spool.alice, name, part));
      // A chmod(1) that keeps the setgid bit of a directory does no harm where nobody else enters.
      const actual = stat.mode & (mode === 0o700 ? 0o5777 : 0o7777);
      assert.equal(actual.toString(8), mode.toString(8), part);
      assert.deepEqual([stat.uid, stat.gid], [spool.alice.uid, gid], part);
    }
  }
});
