import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FLAVOURS, type Flavour } from "#setup/machine.js";
import { makePlan } from "#setup/plan/make-plan.js";
import { isHonest } from "#setup/plan/shell-word.js";
import { planScript } from "#setup/plan/plan-script.js";
import { planJson, planText } from "#setup/plan/plan-text.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { parseSetup, readSetupFile } from "#setup/setup-file.js";

const repository = new URL("../../../../", import.meta.url);
const goldenDir = new URL("packages/setup/test/golden/", repository);
const example = new URL("examples/agentbus.json", repository);
/** `UPDATE_GOLDEN=1 npm test -- setup/build/test/plan` writes them anew; look at the difference before you commit it. */
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";

describe("the plan of examples/agentbus.json", () => {
  for (const [name, flavour] of Object.entries(FLAVOURS) as [string, Flavour][]) {
    test(`on a fresh ${name} is the golden one, as text and as script`, async () => {
      const machine = new PretendedMachine({ flavour });
      const plan = await makePlan(readSetupFile(example.pathname), machine);
      assert.deepEqual(plan.conflicts, []);
      const text = lines(planText(plan, flavour));
      compare(`${name}.txt`, text);
      compare(`${name}.sh`, lines(planScript(plan, flavour)));
    });

    test(`on a fresh ${name}, as script, is one that sh can read`, async () => {
      const plan = await makePlan(readSetupFile(example.pathname), new PretendedMachine({ flavour }));
      const { status, stderr } = spawnSync("sh", ["-n"], { input: lines(planScript(plan, flavour)), encoding: "utf8" });
      assert.equal(status, 0, stderr);
    });
  }

  test("shows a name that turns the writing round or speaks to the terminal as what it is, and means it", async () => {
    const name = "\u202Eevil\u202C \u009B2Jcode'bot";
    const raw = JSON.parse(fs.readFileSync(example, "utf8")) as { agents: { codebot: Record<string, unknown> } };
    raw.agents.codebot["git"] = { name, email: "c@example.org" };
    raw.agents.codebot["lifecycle"] = { service: { command: ["/usr/bin/agent", name] } };
    const setup = parseSetup(JSON.stringify(raw), "/etc/agentbus.json");
    for (const flavour of Object.values(FLAVOURS)) {
      const plan = await makePlan(setup, new PretendedMachine({ flavour }));
      const script = lines(planScript(plan, flavour));
      assert.ok(isHonest(script), flavour.platform);
      assert.equal(spawnSync("sh", ["-n"], { input: script, encoding: "utf8" }).stderr, "");
      const told =
        lines(planText(plan, flavour))
          .split("\n")
          .find((line) => line.includes("git config")) ?? "";
      if (told !== "") assert.ok(isHonest(told), told);
    }
  });

  test("shows of an environment file just what apply makes: the same text and mode, and one that is there keeps its text", async () => {
    const { changes } = await makePlan(
      readSetupFile(example.pathname),
      new PretendedMachine({ flavour: FLAVOURS.debian }),
    );
    const action = changes.find(({ id }) => id === "codebot/environment")?.action;
    assert.ok(action?.kind === "run" && action.inShort?.length === 1);
    const shown = ["sh", "-c", action.inShort.join().replace(/^\$ /, "")];
    const made = [shown, action.argv].map((argv) => {
      const home = fs.mkdtempSync(join(tmpdir(), "abt-environment-"));
      const path = join(home, ".config/agentbus/env");
      const run = () => {
        const { status, stderr } = spawnSync(argv[0] ?? "", argv.slice(1), {
          cwd: home,
          env: { ...process.env, HOME: home },
        });
        assert.equal(status, 0, String(stderr));
        return [fs.readFileSync(path, "utf8"), fs.statSync(path).mode & 0o777] as const;
      };
      try {
        const first = run();
        fs.writeFileSync(path, "KEY=1\n");
        fs.chmodSync(path, 0o644);
        return [first, run()];
      } finally {
        fs.rmSync(home, { recursive: true });
      }
    });
    const expected = ["# API keys and the like of codebot, as NAME=value lines.\n", 0o600];
    assert.deepEqual(made[0], [expected, ["KEY=1\n", 0o600]]);
    assert.deepEqual(made[1], made[0]);
  });

  test("names no step twice, and gives each step's exact command to programs", async () => {
    const plan = await makePlan(readSetupFile(example.pathname), new PretendedMachine({ flavour: FLAVOURS.debian }));
    const steps = planJson(plan, FLAVOURS.debian).filter((each) => "step" in each);
    assert.equal(new Set(steps.map(({ step }) => step)).size, plan.changes.length);
    for (const { command } of steps) assert.ok(command);
  });
});

function compare(name: string, actual: string): void {
  const path = new URL(name, goldenDir);
  if (isUpdate) fs.writeFileSync(path, actual);
  assert.equal(actual, fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "(there is no golden file)");
}

function lines(all: readonly string[]): string {
  // The place of the repository is no part of a plan.
  return `${all.join("\n")}\n`.replaceAll(repository.pathname, "");
}
