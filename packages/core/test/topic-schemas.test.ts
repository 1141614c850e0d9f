import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { isBusError, type BusError } from "#core/errors.js";
import { nodeFileSystem, type FileSystem } from "#core/file-system.js";
import { TopicSchemas } from "#core/topic-schemas.js";

const ROOT = process.geteuid?.() === 0 ? false : "needs root, to give files away";
const BUILD = { type: "object", required: ["commit"], properties: { commit: { type: "string" } } };

let dir: string;
let schemas: TopicSchemas;
let calls: string[];
/** Added to the clock, in milliseconds. */
let later: number;

beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), "agentbus-schemas-"));
  calls = [];
  schemas = new TopicSchemas(recording(calls), dir, process.geteuid?.() ?? 0);
  later = 0;
  const now = performance.now.bind(performance);
  mock.method(performance, "now", () => now() + later);
});
afterEach(() => {
  mock.restoreAll();
  fs.rmSync(dir, { recursive: true });
});

describe("a topic without a schema", () => {
  test("allows any data, at once", () => {
    assert.equal(schemas.check("build.done", { anything: [1] }), undefined);
  });

  test("costs one stat a second, however many messages", () => {
    assert.equal(schemas.check("build.done", 1), undefined);
    calls.length = 0;
    for (let n = 0; n < 1_000; n++) assert.equal(schemas.check(`topic.${n}`, n), undefined);
    assert.deepEqual(calls, []);
    later += 1_001;
    for (let n = 0; n < 1_000; n++) assert.equal(schemas.check(`topic.${n}`, n), undefined);
    assert.equal(calls.filter((call) => call !== "readdir").length, 1);
  });

  test("may be in a spool without a directory for schemas", () => {
    assert.equal(new TopicSchemas(nodeFileSystem, join(dir, "none"), 0).check("build.done", 1), undefined);
  });
});

describe("a schema", () => {
  test("allows what satisfies it and says what does not, and where", async () => {
    write("build.done", BUILD);
    assert.equal(await schemas.check("build.done", { commit: "4f2a" }), undefined);
    assert.deepEqual(await schemas.check("build.done", { commit: 7 }), ["data/commit must be string"]);
    assert.deepEqual(await schemas.check("build.done", {}), ["data must have required property 'commit'"]);
    assert.deepEqual(await schemas.check("build.done", undefined), ["data must be object"]);
  });

  test("is loaded once, and then answers without a promise", async () => {
    write("build.done", BUILD);
    await Promise.all([1, 2, 3].map(async () => schemas.check("build.done", { commit: "a" })));
    assert.equal(calls.filter((call) => call === "open").length, 1);
    assert.equal(schemas.check("build.done", { commit: "a" }), undefined);
    assert.deepEqual(schemas.check("build.done", 7), ["data must be object"]);
  });

  test("is for one topic exactly", async () => {
    write("build.done", false);
    assert.equal(await schemas.check("build.done.x", 1), undefined);
    assert.equal(await schemas.check("build", 1), undefined);
    assert.deepEqual(await schemas.check("build.done", 1), ["data is not allowed"]);
  });

  test("that is added, edited in place or removed counts within a second", async () => {
    assert.equal(schemas.check("build.done", 1), undefined);
    write("build.done", { type: "string" });
    later += 1_001;
    assert.deepEqual(await schemas.check("build.done", 1), ["data must be string"]);
    write("build.done", { type: "number" });
    later += 1_001;
    assert.equal(await schemas.check("build.done", 1), undefined);
    fs.rmSync(pathOf("build.done"));
    later += 1_001;
    assert.equal(await schemas.check("build.done", "x"), undefined);
  });

  test("means what its dialect says; without one, 2020-12", async () => {
    const pair = { items: [{ type: "string" }], additionalItems: false };
    write("seven", { $schema: "http://json-schema.org/draft-07/schema#", ...pair });
    write("nineteen", { $schema: "https://json-schema.org/draft/2019-09/schema", ...pair });
    write("twenty", { prefixItems: [{ type: "string" }], items: false });
    for (const topic of ["seven", "nineteen", "twenty"]) {
      assert.equal(await schemas.check(topic, ["a"]), undefined, topic);
      assert.equal((await schemas.check(topic, [1]))?.[0], "data/0 must be string", topic);
      assert.match((await schemas.check(topic, ["a", "b"]))?.[0] ?? "", /must NOT have more than 1 items/, topic);
    }
  });

  test("may name formats and keywords that nobody knows: they are annotations", async () => {
    write("build.done", { type: "string", format: "email", "x-note": "anything", $id: "urn:example:x" });
    write("build.failed", { type: "string", $id: "urn:example:x" });
    assert.equal(await schemas.check("build.done", "not an address"), undefined);
    assert.equal(await schemas.check("build.failed", "a"), undefined);
  });

  test("does not take what every object inherits for data", async () => {
    write("build.done", { type: "object", required: ["constructor"] });
    assert.deepEqual(await schemas.check("build.done", {}), ["data must have required property 'constructor'"]);
  });

  test("answers with what a terminal can show, whatever the names in the data", async () => {
    write("build.done", { type: "object", additionalProperties: { type: "string" } });
    const [violation = ""] = (await schemas.check("build.done", { ["\u001b[2J\u202e" + "x".repeat(1_000)]: 1 })) ?? [];
    assert.match(violation, /^data\/[\x20-\x7e]{1,300} must be string$/);
  });
});

describe("a schema of no use", () => {
  test("with an error of syntax is refused with its line", async () => {
    const texts: Record<string, number> = {
      '{\n  "type": "object",\n  "properties": {\n    "a": oops\n  }\n}': 4,
      '{\n"type": "object",\n}': 3,
      '{\n"type": "obj': 2,
      '{\n"type":\n': 3,
      "{\nx}": 2,
      "": 1,
    };
    for (const [text, line] of Object.entries(texts)) {
      fs.writeFileSync(pathOf("build.done"), text);
      later += 1_001;
      const error = await refusal("build.done");
      assert.match(error.message, new RegExp(`build\\.done\\.schema\\.json: line ${line}: [^\n]+$`), text);
    }
  });

  test("with a keyword that cannot be is refused with its place", async () => {
    write("build.done", { properties: { commit: { type: "strin" } } });
    assert.match(
      (await refusal("build.done")).message,
      /#\/properties\/commit\/type must be equal to one of the allowed values/,
    );
    write("build.done", { $ref: "https://example.com/other.json" });
    later += 1_001;
    assert.match((await refusal("build.done")).message, /can't resolve reference https:\/\/example\.com\/other\.json/);
    write("build.done", { pattern: "(" });
    later += 1_001;
    assert.match((await refusal("build.done")).message, /Invalid regular expression/);
  });

  test("is refused when its dialect is unknown, when it is asynchronous, or no schema at all", async () => {
    for (const schema of [
      { $schema: "http://json-schema.org/draft-04/schema#" },
      { $schema: 7 },
      { $async: true },
      [],
      7,
      null,
    ]) {
      write("build.done", schema);
      later += 1_001;
      await refusal("build.done");
    }
  });

  test("is refused, and nobody waits, when it is a link, a FIFO, a directory, too large or unreadable", async () => {
    fs.writeFileSync(join(dir, "elsewhere"), "true");
    const makers = [
      () => fs.symlinkSync(join(dir, "elsewhere"), pathOf("build.done")),
      () => execFileSync("mkfifo", [pathOf("build.done")]),
      () => fs.mkdirSync(pathOf("build.done")),
      () => {
        fs.writeFileSync(pathOf("build.done"), "true");
        fs.truncateSync(pathOf("build.done"), 2 ** 40);
      },
    ];
    for (const make of makers) {
      make();
      later += 1_001;
      await refusal("build.done");
      fs.rmSync(pathOf("build.done"), { recursive: true });
    }
    write("build.done", true);
    later += 1_001;
    assert.equal(await schemas.check("build.done", 1), undefined);
  });

  test("is refused when it belongs to an account that does not own the spool", { skip: ROOT }, async () => {
    write("build.done", true);
    fs.chownSync(pathOf("build.done"), 7654, 0);
    assert.match((await refusal("build.done")).message, /belongs to uid 7654/);
    const owned = new TopicSchemas(nodeFileSystem, dir, 7654);
    assert.equal(await owned.check("build.done", 1), undefined);
  });

  test("counts again once it is mended, and does not disturb the others meanwhile", async () => {
    write("build.failed", true);
    fs.writeFileSync(pathOf("build.done"), "{");
    await refusal("build.done");
    assert.throws(() => schemas.check("build.done", 1), "the second time without a promise");
    assert.equal(await schemas.check("build.failed", 1), undefined);
    write("build.done", true);
    later += 1_001;
    assert.equal(await schemas.check("build.done", 1), undefined);
  });
});

test("a directory of schemas that cannot be listed is an error, not a way around them", { skip: ROOT }, () => {
  const refusing: FileSystem = {
    ...nodeFileSystem,
    readdir: () => {
      throw Object.assign(new Error("EACCES"), { code: "EACCES" });
    },
  };
  const unreadable = new TopicSchemas(refusing, dir, 0);
  for (let n = 0; n < 2; n++) assert.throws(() => unreadable.check("build.done", 1), { code: "ERR_ACCESS" });
});

function pathOf(topic: string): string {
  return join(dir, `${topic}.schema.json`);
}

function write(topic: string, schema: unknown): void {
  fs.writeFileSync(pathOf(topic), JSON.stringify(schema));
}

async function refusal(topic: string): Promise<BusError> {
  try {
    await schemas.check(topic, {});
  } catch (error) {
    assert.ok(isBusError(error), String(error));
    assert.equal(error.code, "ERR_SCHEMA");
    assert.equal(error.path, pathOf(topic));
    assert.ok(error.fix);
    return error;
  }
  throw new assert.AssertionError({ message: "it was not refused" });
}

/** Node's file system that notes the name of each call. */
function recording(names: string[]): FileSystem {
  return new Proxy(
    { ...nodeFileSystem },
    {
      get(target, name: keyof FileSystem) {
        return (...args: unknown[]) => {
          names.push(name);
          return (target[name] as (...args: unknown[]) => unknown)(...args);
        };
      },
    },
  );
}
