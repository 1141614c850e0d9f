import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createSpool, spoolPath } from "@agentbus/core";
import { refusalOf } from "./support/refusal.js";
import { TestSpool } from "./support/spool.js";

test("the path of a spool is that of the one which openBus opens, as a choice or the environment says", async (context) => {
  const { path } = await TestSpool.make(context);
  assert.equal(await spoolPath({ spool: path }), path);
  assert.equal(await spoolPath({}, { AGENTBUS_SPOOL: path }), path);
  const { code } = await refusalOf(spoolPath({ spool: join(path, "queues") }));
  assert.equal(code, "ERR_SPOOL_NOT_FOUND");
});

test("a personal spool that is still to be made has no path, and is not made by asking", async (context) => {
  const { path } = await TestSpool.make(context);
  const stateDir = join(path, "..", "state");
  const env = { XDG_STATE_HOME: stateDir, AGENTBUS_ROOT: join(path, "..", "no-groups") };
  assert.equal(await spoolPath({}, env), undefined);
  assert.equal(fs.existsSync(stateDir), false);
  const made = await createSpool({ env });
  assert.equal(await spoolPath({}, env), made.path);
});
