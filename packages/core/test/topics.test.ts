import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBusError, type BusError } from "#core/errors.js";
import {
  compilePatterns,
  isAddress,
  isTopic,
  matchesPattern,
  MAX_TOPIC_BYTES,
  parseAddress,
  parsePattern,
  parseTopic,
} from "#core/topics.js";

describe("a topic", () => {
  for (const topic of ["build", "build.linux.done", "A-Z_09.x", "a".repeat(MAX_TOPIC_BYTES)]) {
    test(`${topic.slice(0, 20)} is one`, () => assert.equal(parseTopic(topic), topic));
  }

  const bad = [
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "a b",
    "a\n",
    "ä",
    "a.*",
    "**",
    "@bob",
    "a/b",
    "a\0",
    "a".repeat(MAX_TOPIC_BYTES + 1),
  ];
  for (const text of bad) {
    test(`${JSON.stringify(text.slice(0, 20))} is none, and the error says why and what to write`, () => {
      assert.equal(isTopic(text), false);
      const error = refusal(() => parseTopic(text));
      assert.equal(error.code, "ERR_TOPIC_INVALID");
      assert.ok(error.fix);
      assert.match(error.message, /^[\x20-\x7e]*$/, "hostile text never reaches a terminal raw");
    });
  }

  test("that is no string is a TypeError: a mistake in the program", () => {
    assert.throws(() => parseTopic(undefined as unknown as string), TypeError);
    assert.throws(() => parsePattern(7 as unknown as string), TypeError);
  });
});

describe("a pattern", () => {
  const matching: Record<string, string[]> = {
    "build.done": ["build.done"],
    "build.*": ["build.done", "build.failed"],
    "build.*.done": ["build.linux.done"],
    "*": ["build"],
    "*.*": ["build.done"],
    "build.**": ["build.done", "build.linux.done"],
    "*.linux.**": ["build.linux.done", "x.linux.y.z"],
    "**": ["build", "build.done", "a.b.c.d"],
  };
  const others: Record<string, string[]> = {
    "build.done": ["build.failed", "build.done.x", "xbuild.done", "build"],
    "build.*": ["build", "build.linux.done", "rebuild.done"],
    "build.*.done": ["build.done", "build.a.b.done", "build.linux.failed"],
    "*": ["build.done"],
    "*.*": ["build", "a.b.c"],
    "build.**": ["build", "rebuild.done", "building.x"],
    "*.linux.**": ["build.linux", "linux.done"],
  };
  for (const [text, topics] of Object.entries(matching)) {
    test(`${text} matches ${topics.join(", ")}, and not ${(others[text] ?? ["an address"]).join(", ")}`, () => {
      const pattern = parsePattern(text);
      for (const topic of topics) assert.equal(matchesPattern(pattern, topic), true, topic);
      for (const topic of others[text] ?? []) assert.equal(matchesPattern(pattern, topic), false, topic);
    });
  }

  test("never matches an address", () => {
    for (const text of ["**", "*", "*.**", "*.*"]) {
      for (const address of ["@bob", "@bob.smith", "@bob~reply-x"]) {
        assert.equal(matchesPattern(parsePattern(text), address), false, `${text} ${address}`);
      }
    }
  });

  const habits: Record<string, string> = {
    "build.#": "build.**",
    "build.>": "build.**",
    "build.+.done": "build.*.done",
    "build..x": "build.x",
    ".build.x.": "build.x",
    "build/*": "build.*",
    "a.**.b": "a.*.b",
    "build done": "build-done",
  };
  for (const [text, better] of Object.entries(habits)) {
    test(`${text} is refused, and the fix is ${better}`, () => {
      const error = refusal(() => parsePattern(text));
      assert.equal(error.code, "ERR_TOPIC_INVALID");
      assert.equal(error.fix, `write "${better}"`);
    });
  }

  for (const text of ["", "build*", "***", "a.***", "@bob", "a\n", "*".repeat(201), "\u202e"]) {
    test(`${JSON.stringify(text.slice(0, 20))} is refused`, () => {
      const error = refusal(() => parsePattern(text));
      assert.equal(error.code, "ERR_TOPIC_INVALID");
      assert.ok(error.fix);
    });
  }
});

describe("compiled patterns", () => {
  test("match what any of them matches", () => {
    const matches = compilePatterns(["build.**", "deploy.*", "alarm", "a-b_c.*.x"]);
    for (const topic of ["build.done", "build.a.b", "deploy.web", "alarm", "a-b_c.y.x"])
      assert.ok(matches(topic), topic);
    for (const topic of ["build", "deploy", "deploy.a.b", "alarm.x", "a-b_c.x"]) assert.ok(!matches(topic), topic);
  });

  test("match nothing when there are none", () => {
    assert.equal(compilePatterns([])("build"), false);
  });

  test("match only topics when none has a wildcard", () => {
    const matches = compilePatterns(["a.b", "c"]);
    assert.deepEqual(["a.b", "c", "a", "a.b.c"].map(matches), [true, true, false, false]);
  });

  test("agree with matching one by one, on every topic of up to four tokens", () => {
    const patterns = ["a.*", "*.b.**", "a.b.c", "*.*.*.b"];
    const parsed = patterns.map(parsePattern);
    const matches = compilePatterns(patterns);
    for (const topic of topicsUpTo(4)) {
      const expected = parsed.some((pattern) => matchesByTokens(pattern.tokens, topic.split(".")));
      assert.equal(matches(topic), expected, topic);
      assert.equal(
        parsed.some((pattern) => matchesPattern(pattern, topic)),
        expected,
        topic,
      );
    }
  });

  test("take as many and as long ones as a record can hold", () => {
    const matches = compilePatterns(Array.from({ length: 256 }, (_, n) => `${"*.".repeat(97)}${n}.**`));
    assert.equal(matches(`${"a.".repeat(97)}255.x`), true);
    assert.equal(matches(`${"a.".repeat(97)}256.x`), false);
  });
});

describe("an address", () => {
  test("names an account's inbox", () => {
    assert.deepEqual(parseAddress("@codebot"), { user: "codebot", subscription: "inbox" });
  });

  test("may name a mailbox of answers", () => {
    assert.deepEqual(parseAddress("@codebot~reply-abc"), { user: "codebot", subscription: "reply-abc" });
  });

  for (const text of [
    "",
    "@",
    "codebot",
    "@-x",
    "@a/b",
    "@../x",
    "@a~",
    "@a~b~c",
    "@a~..",
    "@a b",
    "@a\n",
    `@${"a".repeat(65)}`,
  ]) {
    test(`${JSON.stringify(text.slice(0, 20))} is none`, () => {
      assert.equal(isAddress(text), false);
      assert.equal(refusal(() => parseAddress(text)).code, "ERR_TOPIC_INVALID");
    });
  }
});

function refusal(action: () => unknown): BusError {
  try {
    action();
  } catch (error) {
    if (isBusError(error)) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "it was not refused" });
}

function topicsUpTo(length: number): string[] {
  if (length === 0) return [];
  const shorter = topicsUpTo(length - 1);
  const longest = shorter.filter((topic) => topic.split(".").length === length - 1);
  const stems = length === 1 ? [""] : longest.map((topic) => `${topic}.`);
  return [...shorter, ...stems.flatMap((stem) => ["a", "b", "c"].map((token) => `${stem}${token}`))];
}

/** The grammar, said once more in the plainest way. */
function matchesByTokens([first, ...rest]: readonly string[], [token, ...tokens]: readonly string[]): boolean {
  if (first === undefined || token === undefined) return first === undefined && token === undefined;
  if (first === "**") return true;
  return (first === "*" || first === token) && matchesByTokens(rest, tokens);
}
