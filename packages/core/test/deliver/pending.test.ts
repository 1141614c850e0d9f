import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { FirstNames } from "#core/deliver/first-names.js";
import { Pending } from "#core/deliver/pending.js";
import { Directory } from "#core/directory.js";
import { nodeFileSystem, type FileSystem, type Path } from "#core/file-system.js";
import { NameSource } from "#core/message-name.js";
import { retryName } from "#core/settle/claim-names.js";

const names = new NameSource();

let dir: string;
let pending: Pending;
let fileSystem: FileSystem;
let places: { path: string; new: Directory; retry: Directory };
let listings: number;
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), "agentbus-pending-"));
  for (const name of ["new", "retry"]) fs.mkdirSync(join(dir, name));
  const open = (name: string) => Directory.open(nodeFileSystem, dir, name);
  places = { path: dir, new: open("new"), retry: open("retry") };
  listings = 0;
  const readdirInPortions = (path: Path) => {
    listings++;
    return nodeFileSystem.readdirInPortions(path);
  };
  fileSystem = { ...nodeFileSystem, readdirInPortions };
  pending = new Pending({ fileSystem }, places);
});
afterEach(() => {
  places.new.close();
  places.retry.close();
  fs.rmSync(dir, { recursive: true });
});

test("a message whose event tells of it is found without a listing", async () => {
  await pending.look();
  const before = listings;
  const name = arrive();
  pending.notice(name);
  await pending.look();
  assert.equal(pending.take()?.name, name);
  assert.equal(listings, before);
});

test("a message whose event was lost comes before a later one whose event was not", async () => {
  await pending.look();
  const [first, second] = [arrive(), arrive()];
  pending.doubt();
  pending.notice(second);
  assert.deepEqual(await takeAll(), [first, second]);
});

test("messages that their events tell of out of order are delivered in order", async () => {
  await pending.look();
  const [urgent, second, third] = [arrive(0), arrive(), arrive()];
  for (const name of [third, urgent, second]) pending.notice(name);
  assert.deepEqual(await takeAll(), [urgent, second, third]);
});

test("a message that was listed before its event came is delivered once", async () => {
  const name = arrive();
  await pending.look();
  pending.notice(name);
  assert.deepEqual(await takeAll(), [name]);
});

test("an event during a long listing makes another one follow", async () => {
  for (let n = 0; n < 2_001; n++) arrive();
  await pending.look();
  pending.invalidate();
  while (pending.take() !== undefined);
  const listing = pending.look();
  assert.ok(listing instanceof Promise);
  const late = arrive();
  pending.notice(late);
  await listing;
  assert.equal((await takeAll()).at(-1), late);
});

test("more messages than are kept come out in order, with a listing whenever the kept ones are used up", async () => {
  pending = new Pending({ fileSystem }, places, 10);
  const expected = Array.from({ length: 95 }, () => arrive());
  assert.deepEqual(await takeAll(), expected);
  assert.equal(listings, 10);
});

test("while more wait than are kept, arrivals find their place without a listing", async () => {
  pending = new Pending({ fileSystem }, places, 10);
  const waiting = Array.from({ length: 15 }, () => arrive());
  await pending.look();
  const [late, urgent] = [arrive(), arrive(0)];
  for (const name of [late, urgent]) pending.notice(name);
  await pending.look();
  assert.equal(listings, 1);
  assert.deepEqual(await takeAll(), [urgent, ...waiting, late]);
});

test("what is to be tried again keeps its place among more messages than are kept", async () => {
  pending = new Pending({ fileSystem }, places, 10);
  const before = Array.from({ length: 15 }, () => arrive());
  const retry = retryName({ dueMs: 1, attempts: 1, file: names.messageFile(5, names.ulid()) });
  fs.writeFileSync(join(dir, "retry", retry), "");
  const after = Array.from({ length: 15 }, () => arrive());
  assert.deepEqual(await takeAll(), [...before, retry, ...after]);
});

test("an urgent message that a long listing has missed comes before a later one that it has met", async () => {
  for (let n = 0; n < 3_000; n++) arrive();
  const [first, second] = [names.messageFile(0, names.ulid()), names.messageFile(0, names.ulid())];
  const readdirInPortions = function* (path: Path) {
    yield* nodeFileSystem.readdirInPortions(path);
    // The first one was linked where the reading had passed already.
    for (const name of [first, second]) fs.writeFileSync(join(dir, "new", name), "");
    for (const name of [first, second]) pending.notice(name);
    yield [second];
  };
  pending = new Pending({ fileSystem: { ...fileSystem, readdirInPortions } }, places);
  await pending.look();
  assert.deepEqual([pending.take()?.name, pending.take()?.name], [first, second]);
});

test("the same holds however many others arrive during the listing", async () => {
  for (let n = 0; n < 3_000; n++) arrive();
  const [first, second] = [names.messageFile(0, names.ulid()), names.messageFile(0, names.ulid())];
  const readdirInPortions = function* (path: Path) {
    yield* nodeFileSystem.readdirInPortions(path);
    for (let n = 0; n < 2_000; n++) pending.notice(arrive());
    for (const name of [first, second]) pending.notice(name);
    yield [second];
  };
  pending = new Pending({ fileSystem: { ...fileSystem, readdirInPortions } }, places);
  await pending.look();
  assert.deepEqual([pending.take()?.name, pending.take()?.name], [first, second]);
});

test("a listing that takes the kernel several calls is not used before events have told of what it has missed", async () => {
  const [first, second] = [names.messageFile(0, names.ulid()), names.messageFile(0, names.ulid())];
  const readdirInPortions = function* () {
    const met = Array.from({ length: 500 }, () => names.messageFile(5, names.ulid()));
    // Within the next turn of the event loop, as the kernel's events come.
    setImmediate(() => setImmediate(() => [first, second].forEach((name) => pending.notice(name))));
    yield [...met, second];
  };
  pending = new Pending({ fileSystem: { ...fileSystem, readdirInPortions } }, places);
  await pending.look();
  assert.deepEqual([pending.take()?.name, pending.take()?.name], [first, second]);
});

test("junk without end is told of in parts, and does not hold up messages", async () => {
  for (let n = 0; n < 10_020; n++) fs.linkSync(blank(), join(dir, "new", `junk ${n}`));
  const name = arrive();
  await pending.look();
  assert.equal(pending.take()?.name, name);
  const strays = new Set<string>();
  for (let most = 0; pending.hasStrays; await pending.look()) {
    const some = pending.takeStrays(5_000);
    for (const stray of some) fs.unlinkSync(join(dir, "new", stray));
    for (const stray of some) strays.add(stray);
    assert.ok((most += some.length) <= 10_020);
  }
  assert.equal(strays.size, 10_020);
  assert.equal(listings, 2);
});

test("of however many names only the first ones are held", () => {
  const first = new FirstNames(100);
  const all = Array.from({ length: 10_000 }, () => names.messageFile(5, names.ulid()));
  for (const name of all.toReversed()) {
    first.add(name);
    assert.ok(first.length <= 125);
  }
  assert.equal(first.isPartial, true);
  assert.deepEqual(first.lastFirst().reverse(), all.slice(0, 100));
});

test("what is to be tried again keeps its place while messages arrive", async () => {
  const file = names.messageFile(5, names.ulid());
  const retry = retryName({ dueMs: 1, attempts: 1, file });
  fs.writeFileSync(join(dir, "retry", retry), "");
  const second = arrive();
  await pending.look();
  pending.doubt();
  const third = arrive();
  pending.notice(third);
  assert.deepEqual(await takeAll(), [retry, second, third]);
});

test("whatever else happens in new/ makes it look at everything", async () => {
  await pending.look();
  const retry = retryName({ dueMs: 1, attempts: 1, file: names.messageFile(5, names.ulid()) });
  fs.writeFileSync(join(dir, "retry", retry), "");
  pending.notice(".wake-somebody");
  assert.deepEqual(await takeAll(), [retry]);
});

test("a change that no event told of shows in the times of the directories", async () => {
  pending.hasChanged();
  await pending.look();
  // A change within one tick of the filesystem's clock does not show, so the first looks do not count.
  while (pending.hasChanged()) await new Promise((resolve) => setTimeout(resolve, 20));
  arrive();
  assert.equal(pending.hasChanged(), true);
});

/** A file to link to, which is faster than to make one each time. */
function blank(): string {
  const path = join(dir, "blank");
  fs.writeFileSync(path, "");
  return path;
}

/** Puts a file into `new/` as a publisher would. */
function arrive(priority = 5): string {
  const name = names.messageFile(priority, names.ulid());
  fs.writeFileSync(join(dir, "new", name), "");
  return name;
}

/** Takes one after the other out of its directory, as a consumer would. */
async function takeAll(): Promise<string[]> {
  const taken: string[] = [];
  for (;;) {
    await pending.look();
    const file = pending.take();
    if (file === undefined) return taken;
    fs.unlinkSync(join(dir, file.from, file.name));
    taken.push(file.name);
  }
}
