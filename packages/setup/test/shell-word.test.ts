import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { isHonest, printfFormat, quoteWord, visibleLine } from "#setup/plan/shell-word.js";

const TEXTS = [
  "",
  "codebot",
  "-rf",
  "--",
  "a b",
  "it's $HOME `id` \\n %s !",
  "Jürgen Groß",
  "小林 はな",
  "two\nlines\n",
  "\u202Eevil\u202C",
  "-\u200B5%\\'9",
  "\u009B31m red \u0085",
  "tag\u{E0041} zero\u200Dwidth filler\u3164",
  "line\u2028 para\u2029 nbsp\u00A0",
  "\u202E\n\n",
  "\u001b]0;title\u0007\u007f",
];
const SHELLS = ["sh", "dash", "bash", "busybox"].filter((shell) => spawnSync(shell, ["--help"]).error === undefined);

describe("a word of a script", () => {
  for (const shell of SHELLS) {
    test(`is read by ${shell} as what it stands for`, () => {
      for (const text of TEXTS) {
        const command = shell === "busybox" ? ["busybox", "sh"] : [shell];
        const script = `printf '%s' ${quoteWord(text)}`;
        const { stdout, status } = spawnSync(command[0] ?? "", [...command.slice(1), "-c", script], {
          encoding: "utf8",
        });
        assert.deepEqual([status, stdout], [0, text], script);
      }
    });
  }

  test("holds nothing that a terminal obeys, that nobody sees or that turns the writing round", () => {
    for (const text of TEXTS) {
      for (const shown of [quoteWord(text), visibleLine(text), printfFormat(text)]) {
        assert.ok(isHonest(shown), JSON.stringify(shown));
        assert.doesNotMatch(shown, /(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/u);
      }
    }
  });

  test("keeps the letters of all languages", () => {
    assert.equal(quoteWord("Jürgen Groß"), "'Jürgen Groß'");
    assert.equal(quoteWord("\u202Eevil 'x'"), `"$(printf '\\342\\200\\256evil \\047x\\047')"`);
    assert.equal(visibleLine("by \u202Elive\n"), "by <U+202E>live ");
  });
});
