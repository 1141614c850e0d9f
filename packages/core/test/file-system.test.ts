import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nodeFileSystem, writeAllText, type FileSystem } from "#core/file-system.js";

test("a text is written whole, however little of it a write takes", (context) => {
  const dir = fs.mkdtempSync(join(tmpdir(), "agentbus-test-"));
  context.after(() => fs.rmSync(dir, { recursive: true }));
  for (const text of ["", "plain\n", "ü and \u{1f600}\n"]) {
    const bytes = Buffer.from(text);
    for (let taken = 0; taken <= bytes.length; taken++) {
      const path = join(dir, `${text.length}-${taken}`);
      const fd = fs.openSync(path, "w");
      const short: FileSystem = {
        ...nodeFileSystem,
        writeText: () => fs.writeSync(fd, bytes, 0, taken),
        write: (_, buffer, offset) => fs.writeSync(fd, buffer, offset, 1),
      };
      assert.equal(writeAllText(short, fd, text), bytes.length);
      fs.closeSync(fd);
      assert.equal(fs.readFileSync(path, "utf8"), text, String(taken));
    }
  }
});
