import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { isBusError } from "@agentbus/core";
import { parseSetup, readSetupFile } from "#setup/setup-file.js";

const GOOD = {
  version: 1,
  humans: { alice: { groups: ["agents"] } },
  groups: { agents: {} },
  agents: { codebot: { groups: ["agents"] } },
};

const schemaOf = (name: string) =>
  JSON.parse(fs.readFileSync(new URL(`../../../../schemas/${name}.schema.json`, import.meta.url), "utf8")) as {
    properties: Record<string, { additionalProperties: { properties: Record<string, unknown> } }>;
  };

describe("agentbus.json", () => {
  test("has a schema that stands alone, so that an editor that knows no other completes all of it", () => {
    const schema = schemaOf("setup");
    const references = [...JSON.stringify(schema).matchAll(/"\$ref":"([^"]*)"/g)].map(([, reference]) => reference);
    assert.ok(references.length > 0);
    assert.deepEqual(
      references.filter((reference) => !reference?.startsWith("#/$defs/")),
      [],
    );
    const { limits } = schema.properties["groups"]?.additionalProperties.properties ?? {};
    assert.deepEqual(limits, schemaOf("spool").properties["limits"]);
  });

  test("has a default for everything that an agent need not say", () => {
    const [agent] = parseSetup(JSON.stringify(GOOD), "/x/agentbus.json").agents;
    assert.equal(agent?.umask, 0o027);
    assert.equal(agent?.homeMode, 0o700);
    assert.equal(agent?.environmentFile, ".config/agentbus/env");
    assert.deepEqual([agent?.sudo, agent?.service], [[], undefined]);
  });

  test("reads sizes and percentages as numbers", () => {
    const limits = { memory: "2G", cpu: "150%", tasks: 100, files: 1024, fileSize: "512M" };
    const { agents } = parseSetup(
      JSON.stringify({ ...GOOD, agents: { codebot: { groups: ["agents"], limits } } }),
      "/x",
    );
    const expected = { memoryBytes: 2 ** 31, cpuPercent: 150, tasks: 100, files: 1024, fileSizeBytes: 2 ** 29 };
    assert.deepEqual(agents[0]?.limits, expected);
  });

  test("is refused with line, column, path and remedy, for everything that is wrong at once", () => {
    const text = `{
  "version": 1,
  "groups": { "agents": {} },
  "agents": {
    "codebot": {
      "groups": ["agents"],
      "umask": "022",
      "homemode": "0755"
    }
  }
}`;
    const { message, fix, details } = refusal(text);
    assert.match(message, /agentbus\.json:7:16: agents\.codebot\.umask: it is not a umask/);
    assert.match(message, /agentbus\.json:8:7: agents\.codebot\.homemode: there is no such setting/);
    assert.equal(fix, 'line 7: write "027" (or "077"); line 8: write "homeMode"');
    const complaints = details?.["complaints"] as { line: number }[] | undefined;
    assert.deepEqual(
      complaints?.map(({ line }) => line),
      [7, 8],
    );
  });

  const syntax: readonly (readonly [string, string, RegExp])[] = [
    ["a comment", '{ "version": 1, // one\n "groups": {} }', /:1:17: a comment/],
    ["a comma too much", '{ "version": 1, }', /:1:17: a name in double quotes is missing/],
    ["a comma too few", '{\n "version": 1\n "groups": {} }', /:3:2: a comma is missing/],
    ["nothing in it", " \n", /it is empty/],
    ["a value too few", '{ "version": }', /:1:14: a value is missing/],
    ["two values", "{} {}", /:1:4: something follows/],
    [
      "a name twice",
      '{ "version": 1, "version": 1, "groups": {"a":{}}, "agents": {} }',
      /:1:17: version: "version" is there twice/,
    ],
    ["a thousand brackets", "[".repeat(1000), /brackets deep/],
  ];
  for (const [what, text, expected] of syntax) {
    test(`with ${what} is refused`, () => assert.match(refusal(text).message, expected));
  }

  for (const name of [
    "root",
    "daemon",
    "sudo",
    "-rf",
    "a b",
    "../x",
    "Bad.Name",
    "a".repeat(32),
    "uid1000",
    "",
    "ä",
    "a\nb",
    "x-",
    "$(id)",
  ]) {
    test(`cannot call an agent ${JSON.stringify(name)}`, () => {
      const { message, fix } = refusal(JSON.stringify({ ...GOOD, agents: { [name]: { groups: ["agents"] } } }));
      assert.match(message, /cannot be (?:a name|called)/);
      assert.ok(fix);
    });
    test(`cannot call a group ${JSON.stringify(name)}`, () => {
      const groups = { [name]: {} };
      assert.ok(refusal(JSON.stringify({ version: 1, groups, agents: {} })).fix);
    });
  }

  const agent = (more: object) => ({ ...GOOD, agents: { codebot: { groups: ["agents"], ...more } } });
  const senseless: readonly (readonly [string, object, RegExp])[] = [
    ["a group that is not in it", agent({ groups: ["others"] }), /there is no group others/],
    [
      "an agent that is a human too",
      { ...GOOD, humans: { codebot: { groups: ["agents"] } } },
      /codebot is a human too/,
    ],
    ["an agent that is a group too", { ...GOOD, groups: { agents: {}, codebot: {} } }, /codebot is a group too/],
    ["a home that others may enter", agent({ homeMode: "0755" }), /leaves others nothing/],
    ["an environment file outside of the home", agent({ environmentFile: "../env" }), /a path within the home/],
    ["an environment file at an absolute path", agent({ environmentFile: "/etc/shadow" }), /a path within the home/],
    ["a relative command", agent({ lifecycle: { service: { command: ["node"] } } }), /absolute path/],
    ["a command with .. in it", agent({ lifecycle: { service: { command: ["/usr/../bin/sh"] } } }), /absolute path/],
    ["a line break in an argument", agent({ lifecycle: { service: { command: ["/bin/x", "a\nb"] } } }), /one line/],
    ["a line break in a git name", agent({ git: { name: "a\nb", email: "a@b" } }), /one line/],
    [
      "sudo in a hardened service",
      agent({
        sudo: [{ command: ["/usr/bin/systemctl", "restart", "a.service"] }],
        lifecycle: { service: { command: ["/bin/x"], profile: "hardened" } },
      }),
      /hardening takes sudo away/,
    ],
    ["a sudo rule for a shell", agent({ sudo: [{ command: ["/bin/sh"] }] }), /sh/],
    ["another version", { ...GOOD, version: 2 }, /not a version/],
    ["a lifecycle of another kind", agent({ lifecycle: "daemon" }), /it is neither/],
  ];
  for (const [what, setup, expected] of senseless) {
    test(`with ${what} is refused`, () => assert.match(refusal(JSON.stringify(setup)).message, expected));
  }

  test("is not waited for when it is a FIFO, and not read when it is huge, missing or not UTF-8", (context) => {
    const dir = scratch(context);
    assert.equal(spawnSync("mkfifo", [join(dir, "fifo")]).status, 0);
    fs.writeFileSync(join(dir, "huge"), Buffer.alloc(1024 * 1024 + 1, " "));
    fs.writeFileSync(join(dir, "latin1"), Buffer.from([0x22, 0xe4, 0x22]));
    for (const [name, expected] of [
      ["fifo", /no regular file/],
      ["huge", /larger than/],
      ["latin1", /not UTF-8/],
      ["missing", /no such file/],
    ] as const) {
      const { message, fix } = refused(() => readSetupFile(join(dir, name)));
      assert.match(message, expected);
      assert.match(fix ?? "", /agentbus setup new/);
    }
  });
});

function refusal(text: string) {
  return refused(() => parseSetup(text, "/x/agentbus.json"));
}

function refused(task: () => unknown) {
  try {
    task();
  } catch (error) {
    assert.ok(isBusError(error), String(error));
    assert.equal(error.code, "ERR_SETUP_FILE");
    return error;
  }
  throw new Error("it was not refused");
}

function scratch(context: TestContext): string {
  const dir = fs.mkdtempSync(join(tmpdir(), "agentbus-setup-"));
  context.after(() => fs.rmSync(dir, { recursive: true }));
  return dir;
}
