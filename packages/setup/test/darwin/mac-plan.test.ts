import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { describe, test } from "node:test";
import { FLAVOURS } from "#setup/machine.js";
import { makePlan } from "#setup/plan/make-plan.js";
import { planScript } from "#setup/plan/plan-script.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { parseSetup } from "#setup/setup-file.js";

const GOLDEN = new URL("../../../test/darwin/golden/full.sh", import.meta.url);
const DOCS = new URL("../../../../../docs/setup-macos.md", import.meta.url);
/** `UPDATE_GOLDEN=1` writes it anew; look at the difference before you commit it. */
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";

const FULL = {
  version: 1,
  humans: { alice: { groups: ["agents"] } },
  groups: { agents: {} },
  agents: {
    codebot: {
      groups: ["agents"],
      limits: { tasks: 256, files: 4096, fileSize: "1G" },
      lifecycle: { service: { command: ["/usr/local/bin/bot", "--name", "a b"], restart: "on-failure" } },
      sudo: [{ command: ["/bin/launchctl", "kickstart", "-k", "system/org.example.app"] }],
    },
  },
  power: { stayAwake: true, lidClosed: true },
};

async function script(): Promise<string> {
  const setup = parseSetup(JSON.stringify(FULL), "/etc/agentbus.json");
  const plan = await makePlan(setup, new PretendedMachine({ flavour: FLAVOURS.darwin }));
  assert.deepEqual(plan.conflicts, []);
  const repository = new URL("../../../../../", import.meta.url).pathname;
  return `${planScript(plan, FLAVOURS.darwin).join("\n")}\n`.replaceAll(repository, "");
}

describe("the plan of a Mac with everything that there is", () => {
  test("is the golden one", async () => {
    const actual = await script();
    if (isUpdate) fs.writeFileSync(GOLDEN, actual);
    assert.equal(actual, fs.existsSync(GOLDEN) ? fs.readFileSync(GOLDEN, "utf8") : "(there is no golden file)");
  });

  test("can be read by sh", async () => {
    const { status, stderr } = spawnSync("sh", ["-n"], { input: await script(), encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });

  test("has no program of the system in it that docs/setup-macos.md does not argue for", async () => {
    const docs = fs.readFileSync(DOCS, "utf8");
    const commands = (await script()).matchAll(
      /^(dscl|dseditgroup|dsmemberutil|createhomedir|launchctl|pmset|visudo|plutil|install)((?: -?[a-z-]+)?)/gm,
    );
    for (const [, program = ""] of commands) assert.match(docs, new RegExp(`\`[^\`]*\\b${program}\\b`), program);
  });
});
