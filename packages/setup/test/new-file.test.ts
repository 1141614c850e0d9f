import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { withAgent, withoutAgent } from "#setup/new-file.js";
import { parseSetup } from "#setup/setup-file.js";

const WRITTEN = `{
  "version": 1,
  "groups": { "agents": {},    "others": {} },
  "agents": {
    "first": { "groups": ["agents"] },

    "second": {
        "groups": ["agents"] },
    "third": { "groups": ["others"] }
  }
}
`;

describe("agentbus.json, of which one agent is taken out,", () => {
  for (const [name, gone] of [
    ["first", '    "first": { "groups": ["agents"] },\n\n'],
    ["second", ',\n\n    "second": {\n        "groups": ["agents"] }'],
    ["third", ',\n    "third": { "groups": ["others"] }'],
  ] as const) {
    test(`keeps everything else as it was written, without the ${name}`, () => {
      const text = withoutAgent(WRITTEN, name);
      const expected =
        name === "first"
          ? WRITTEN.replace(gone.trimStart(), "").replace(/^ {8}"second"/m, '    "second"')
          : WRITTEN.replace(gone, "");
      assert.equal(text, expected);
      assert.ok(parseSetup(text, "/x").agents.every((agent) => agent.name !== name));
    });
  }

  test("is the same when the agent is not in it, or when nothing can be understood of it", () => {
    for (const text of [WRITTEN, "{", "[]", '{ "agents": 1 }', ""]) assert.equal(withoutAgent(text, "other"), text);
  });

  test("is as it was when the agent had just been put into it, also as the only one", () => {
    const [empty, one] = [WRITTEN.replace(/"agents": \{\n[^]*\n {2}\}/, '"agents": {}'), WRITTEN];
    for (const before of [empty, one]) {
      const more = withAgent(before, "codebot", ["agents"]);
      assert.notEqual(more, before);
      assert.equal(withoutAgent(more, "codebot"), before);
    }
  });
});
