import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { describe, test } from "node:test";
import { Ledger } from "#setup/ledger.js";
import { FLAVOURS } from "#setup/machine.js";
import type { Change } from "#setup/plan/change.js";
import { makePlan } from "#setup/plan/make-plan.js";
import { planScript } from "#setup/plan/plan-script.js";
import { planText } from "#setup/plan/plan-text.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { knownAgents, planRemoval } from "#setup/remove/plan-removal.js";
import { parseSetup, readSetupFile } from "#setup/setup-file.js";
import type { Setup } from "#setup/setup.js";
import { AppliedMachine } from "../support/applied-machine.js";
import { commandForms, scriptPrograms } from "../support/command-forms.js";

const GOLDEN_DIR = new URL("../../../test/darwin/golden/", import.meta.url);
const REPOSITORY = new URL("../../../../../", import.meta.url);
/** `UPDATE_GOLDEN=1` writes them anew; look at the difference before you commit it. */
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";

/** Everything that there is. */
const FULL = parseSetup(
  JSON.stringify({
    version: 1,
    humans: { alice: { groups: ["agents"] } },
    groups: { agents: {} },
    agents: {
      codebot: {
        groups: ["agents"],
        git: { name: "codebot", email: "codebot@example.org" },
        limits: { tasks: 256, files: 4096, fileSize: "1G" },
        lifecycle: { service: { command: ["/usr/local/bin/bot", "--name", "a b"], restart: "on-failure" } },
        sudo: [{ command: ["/bin/launchctl", "kickstart", "-k", "system/org.example.app"] }],
        channels: { sockets: true, pipes: false },
      },
    },
    power: { stayAwake: true, lidClosed: true },
  }),
  "/etc/agentbus.json",
);
const EXAMPLE = readSetupFile(new URL("examples/agentbus.json", REPOSITORY).pathname);

async function applying(setup: Setup): Promise<Change[]> {
  const plan = await makePlan(setup, new PretendedMachine({ flavour: FLAVOURS.darwin }));
  assert.deepEqual(plan.conflicts, []);
  return [...plan.changes];
}

async function removing(setup: Setup): Promise<Change[]> {
  const machine = await AppliedMachine.of(setup, FLAVOURS.darwin);
  const at = new Date("2026-01-02T03:04:05Z");
  return [...(await planRemoval(machine, knownAgents(Ledger.read(machine)), true, { at })).changes];
}

function script(changes: readonly Change[]): string {
  const lines = planScript({ changes, conflicts: [], notes: [] }, FLAVOURS.darwin);
  return `${lines.join("\n")}\n`.replaceAll(REPOSITORY.pathname, "");
}

describe("the plan of a Mac with everything that there is", () => {
  test("is the golden one, and so is that of its removal", async () => {
    const removal = planText({ changes: await removing(FULL), conflicts: [], notes: [] }, FLAVOURS.darwin);
    for (const [name, actual] of [
      ["full.sh", script(await applying(FULL))],
      ["full-removal.txt", `${removal.join("\n")}\n`],
    ] as const) {
      const path = new URL(name, GOLDEN_DIR);
      if (isUpdate) fs.writeFileSync(path, actual);
      assert.equal(actual, fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "(there is no golden file)");
    }
  });

  test("can be read by sh", async () => {
    const { status, stderr } = spawnSync("sh", ["-n"], { input: script(await applying(FULL)), encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });
});

describe("docs/setup-macos.md", () => {
  const page = fs.readFileSync(new URL("docs/setup-macos.md", REPOSITORY), "utf8");
  /** What stands in code in the first column of a table whose second says something. */
  const argued = new Set(
    [...page.matchAll(/^\|((?:[^|`]|`[^`]*`)*)\|((?:[^|`]|`[^`]*`)*)\|$/gm)].flatMap(([, first = "", second = ""]) =>
      second.trim().length < 10 ? [] : [...first.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code),
    ),
  );
  const all = async () => [
    ...(await applying(FULL)),
    ...(await applying(EXAMPLE)),
    ...(await removing(FULL)),
    ...(await removing(EXAMPLE)),
  ];

  test("argues for every command of the golden plans and removals, in the form that it has there", async () => {
    const forms = commandForms(await all(), FLAVOURS.darwin);
    assert.ok(forms.size >= 40, `only ${forms.size} commands found`);
    assert.deepEqual(
      [...forms].filter((form) => !argued.has(form)),
      [],
    );
  });

  test("argues for no command of macOS's that is in none of them", async () => {
    const forms = commandForms(await all(), FLAVOURS.darwin);
    const known =
      /^(?:dscl|dseditgroup|dsmemberutil|createhomedir|launchctl|pmset|install|visudo|plutil|sudo|agentbus|chown|chmod|chflags|tar|find|rm|ln|mv|mkdir)\b/;
    assert.deepEqual(
      [...argued].filter((code) => known.test(code) && code.includes(" ") && !forms.has(code)),
      [],
    );
  });

  test("names every program that is started as an agent", async () => {
    const programs = scriptPrograms(await all());
    assert.ok(programs.has("awk") && programs.has("sed"));
    assert.deepEqual(
      [...programs].filter((program) => !argued.has(program)),
      [],
    );
  });
});
