import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { isBusError } from "@agentbus/core";
import { inArena } from "./support/socket-arena.js";

test("a request goes through the socket that its responder serves, and by the spool when there is none, with the same result", () =>
  inArena(async (arena) => {
    const responder = await arena.bus();
    const asker = await arena.bus();
    const ways: string[] = [];
    const answer =
      (way: string) =>
      ({ data, topic }: { readonly data: unknown; readonly topic: string }) => {
        ways.push(way);
        if (data === "fail") throw new Error("not today");
        return { data, topic };
      };
    await responder.respond(`@${arena.user}`, answer("spool"));
    const bySpool = await asker.request(`@${arena.user}`, { a: 1 }, { topic: "search", subject: "s" });
    const named = await asker.request(`@${arena.user}/search`, { a: 1 }, { subject: "s" });
    const server = await responder.serve("search", answer("socket"));
    const bySocket = await asker.request(`@${arena.user}`, { a: 1 }, { topic: "search", subject: "s" });
    assert.deepEqual(ways, ["spool", "spool", "socket"]);
    for (const { data, sender, topic, type } of [bySpool, named, bySocket]) {
      assert.deepEqual(
        [data, sender, topic, type],
        [{ data: { a: 1 }, topic: "search" }, bySpool.sender, "search", "search.reply"],
      );
    }
    const failures: unknown[] = [];
    for (const close of [async () => server.close(), async () => undefined]) {
      await asker.request(`@${arena.user}/search`, "fail").catch((error: unknown) => failures.push(error));
      await close();
    }
    assert.deepEqual(ways.slice(3), ["socket", "spool"]);
    const [first, second] = failures;
    assert.ok(isBusError(first) && isBusError(second));
    assert.deepEqual([first.code, first.message, first.details], [second.code, second.message, second.details]);
    assert.equal(first.code, "ERR_RESPONDER");
  }));

test("a request whose server takes too long times out as by the spool, and one with wishes of the spool goes there", () =>
  inArena(async (arena) => {
    const bus = await arena.bus();
    await bus.respond(`@${arena.user}`, () => "spool");
    await bus.serve("search", () => new Promise(() => undefined));
    await assert.rejects(
      bus.request(`@${arena.user}/search`, 1, { timeoutMs: 30 }),
      (error) => isBusError(error) && error.code === "ERR_TIMEOUT",
    );
    assert.equal((await bus.request(`@${arena.user}/search`, 1, { sync: "data" })).data, "spool");
  }));

test("a request to a server that was stopped ends at its own time", () =>
  inArena(async (arena) => {
    const child = arena.child("server");
    if (child.stdout === null) throw new Error("no stdout");
    await once(createInterface({ input: child.stdout }), "line");
    child.kill("SIGSTOP");
    const asker = await arena.bus();
    const aborting = new AbortController();
    const aborted = asker.request(arena.address, 2, { signal: aborting.signal });
    await assert.rejects(
      asker.request(arena.address, 1, { timeoutMs: 50 }),
      (error) => isBusError(error) && error.code === "ERR_TIMEOUT" && /within 50 ms/.test(error.message),
    );
    const reason = new Error("changed my mind");
    aborting.abort(reason);
    await assert.rejects(aborted, (error) => error === reason);
  }));
