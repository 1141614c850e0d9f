import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nodeFileSystem, type FileSystem } from "#core/file-system.js";
import { openSpool } from "#core/open-spool.js";
import { describeSelf } from "#core/presence.js";
import { ConsumerLock, type HeldLocks } from "#core/subscribe/consumer-lock.js";
import { TestSpool } from "../support/spool.js";

test("a lock that is taken anew is not let go of by the one before it, who does so in the same moment", async (context) => {
  const { path } = await TestSpool.make(context);
  let onLocked = (): void => undefined;
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    rename: (from, to) => {
      nodeFileSystem.rename(from, to);
      if (String(to).endsWith("/consumer.lock")) queueMicrotask(() => onLocked());
    },
  };
  const spool = await openSpool({ spool: path }, { fileSystem, env: {} });
  const place = { parentDir: spool.subscriptionsDir, directoryName: `${spool.user}~ci` };
  const dir = join(place.parentDir, place.directoryName);
  const held: HeldLocks = new Map();
  const presence = describeSelf(spool.user, "a".repeat(16));
  const acquire = () => ConsumerLock.acquire(spool, place, presence, held, () => assert.fail("it is lost"));
  fs.mkdirSync(dir);
  const former = await acquire();
  fs.rmSync(dir, { recursive: true });
  fs.mkdirSync(dir);
  let releasing: Promise<void> | undefined;
  onLocked = () => void (releasing ??= former.release());
  const lock = await acquire();
  assert.ok(releasing !== undefined);
  await releasing;
  assert.deepEqual(fs.readdirSync(dir).toSorted(), ["consumer.json", "consumer.lock"]);
  await lock.look();
  await assert.rejects(acquire(), { code: "ERR_BUSY" });
  await lock.release();
  assert.deepEqual(fs.readdirSync(dir), []);
});
