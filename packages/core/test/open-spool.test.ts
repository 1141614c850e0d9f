import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeFileSystem, type Path } from "#core/file-system.js";
import { openSpool } from "#core/open-spool.js";
import { refusalOf } from "./support/refusal.js";
import { TestSpool } from "./support/spool.js";

test("without a /proc of its own a process is told so, instead of publishing to nobody", async (context) => {
  if (process.platform !== "linux") return context.skip("only Linux has /proc");
  const spool = await TestSpool.make(context);
  const lstat = (path: Path) => {
    if (String(path).startsWith("/proc")) throw Object.assign(new Error("no /proc"), { code: "ENOENT" });
    return nodeFileSystem.lstat(path);
  };
  const opening = openSpool({ spool: spool.path }, { fileSystem: { ...nodeFileSystem, lstat } });
  const { code, fix } = await refusalOf(opening);
  assert.equal(code, "ERR_PLATFORM");
  assert.match(fix ?? "", /mount -t proc proc \/proc/);
});
