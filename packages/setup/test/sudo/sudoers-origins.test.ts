import assert from "node:assert/strict";
import type { Stats } from "node:fs";
import { test } from "node:test";
import { FLAVOURS } from "#setup/machine.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { sudoersLinesAbout } from "#setup/sudo/sudoers-origins.js";

/** One that has these files, and directories above them. */
class WithFiles extends PretendedMachine {
  readonly #files: Record<string, string>;

  constructor(files: Record<string, string>) {
    super({ flavour: FLAVOURS.debian, files });
    this.#files = files;
  }

  override stat(path = ""): Stats | undefined {
    const isFile = this.#files[path] !== undefined;
    const isDirectory = Object.keys(this.#files).some((each) => each.startsWith(`${path}/`));
    if (!isFile && !isDirectory) return undefined;
    return { isFile: () => isFile, isDirectory: () => isDirectory } as Stats;
  }

  override list(dir = ""): readonly string[] {
    const inside = Object.keys(this.#files).filter((path) => path.startsWith(`${dir}/`));
    return [...new Set(inside.map((path) => path.slice(dir.length + 1).split("/")[0] ?? ""))].sort();
  }
}

const linesAbout = (files: Record<string, string>) =>
  sudoersLinesAbout(new WithFiles(files), { name: "codebot", uid: 2001 }, ["agents"]);

test("lines about an account are found in all files that sudo reads, each once, and in no others", () => {
  const found = linesAbout({
    "/etc/sudoers":
      '@include more\n@includedir /etc/sudoers.d\n#include "/etc/old style"\n# codebot ALL=(ALL) ALL\n@include /etc/sudoers\n',
    "/etc/more": "codebot ALL=(ALL) NOPASSWD: /bin/a\n",
    "/etc/old style": "#2001 ALL=(ALL) NOPASSWD: /bin/b\n#2002 ALL=(ALL) NOPASSWD: /bin/b\n",
    "/etc/sudoers.d/one": "%agents ALL=(ALL) /bin/c\n@includedir deeper\n",
    "/etc/sudoers.d/deeper/two": "root, codebot ALL=(ALL) \\\n  /bin/d\n",
    "/etc/sudoers.d/not.read": "codebot ALL=(ALL) /bin/e\n",
    "/etc/elsewhere": "codebot ALL=(ALL) /bin/f\n",
  });
  assert.deepEqual(
    found.map(({ path, line, subjects, allows, isOneLine }) => [path, line, subjects.join(), allows, isOneLine]),
    [
      ["/etc/more", 1, "codebot", "(ALL) NOPASSWD: /bin/a", true],
      ["/etc/sudoers.d/one", 1, "%agents", "(ALL) /bin/c", true],
      ["/etc/sudoers.d/deeper/two", 1, "root,codebot", "(ALL) /bin/d", false],
      ["/etc/old style", 1, "#2001", "(ALL) NOPASSWD: /bin/b", true],
    ],
  );
});

test("aliases stand for what they say: those of other people are not about the account", () => {
  const found = linesAbout({
    "/etc/sudoers": `User_Alias ADMINS = anna, bert : BOTS = codebot, OTHERS
User_Alias OTHERS = reviewer
Cmnd_Alias TOOLS = /bin/a, MORE
Cmnd_Alias MORE = /bin/b
ADMINS ALL=(ALL) ALL
BOTS ALL=(ALL) NOPASSWD: TOOLS
LOOP ALL=(ALL) ALL
User_Alias LOOP = LOOP
`,
  });
  assert.deepEqual(
    found.map(({ text, accounts, allows }) => [text, accounts, allows]),
    [["BOTS ALL=(ALL) NOPASSWD: TOOLS", ["codebot", "reviewer"], "(ALL) NOPASSWD: TOOLS, /bin/a, /bin/b"]],
  );
});
