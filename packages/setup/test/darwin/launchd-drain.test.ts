import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { perform } from "#setup/apply/perform.js";
import { Ledger } from "#setup/ledger.js";
import { FLAVOURS, type RunResult } from "#setup/machine.js";
import { makePlan } from "#setup/plan/make-plan.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { undoing } from "#setup/remove/undo.js";
import { parseSetup } from "#setup/setup-file.js";

const TARGET = "system/agentbus.codebot";
const SERVED = {
  version: 1,
  groups: { agents: {} },
  agents: { codebot: { groups: ["agents"], lifecycle: { service: { command: ["/usr/local/bin/bot"] } } } },
};

/** A launchd as people have measured that of macOS 15 and 26: a daemon that is booted out is listed, and its label taken, for a while. */
class PretendedLaunchd extends PretendedMachine {
  readonly ran: string[] = [];
  #isLoaded = true;
  /** How many more questions find the daemon on its way out. */
  #draining = 0;

  constructor() {
    super({ flavour: FLAVOURS.darwin });
  }

  override run(argv: readonly string[]): Promise<RunResult> {
    return Promise.resolve(this.#answer(argv));
  }

  #answer([program = "", verb = ""]: readonly string[]): RunResult {
    const end = (status: number) => ({ status, stdout: "", stderr: "" });
    if (program !== "launchctl") return end(127);
    if (!verb.startsWith("print")) this.ran.push(verb);
    if (verb === "bootout") {
      this.#draining = 3;
      return end(36);
    }
    if (this.#draining > 0 && --this.#draining === 0) this.#isLoaded = false;
    if (verb === "print") return end(this.#isLoaded ? 0 : 113);
    if (verb === "bootstrap" && this.#isLoaded) return end(5);
    if (verb === "bootstrap") this.#isLoaded = true;
    return end(0);
  }
}

describe("a daemon of launchd that takes its time to end", () => {
  test("is waited for before its removal goes on", async () => {
    const machine = new PretendedLaunchd();
    const undo = ["launchctl", "bootout", TARGET];
    const entry = { key: "command:codebot/service-started", how: "made", undo, agent: "codebot" } as const;
    const [change] = await undoing({ machine, notes: [] }, [entry]);
    assert.ok(change !== undefined);
    await perform(change, { machine, ledger: Ledger.read(machine), agentbus: [] });
    assert.equal((await machine.run(["launchctl", "print", TARGET])).status, 113);
    assert.deepEqual(machine.ran, ["bootout"]);
  });

  test("is waited for before another of its name is started", async () => {
    const machine = new PretendedLaunchd();
    const setup = parseSetup(JSON.stringify(SERVED), "/etc/agentbus.json");
    const { changes } = await makePlan(setup, machine);
    const steps = changes.filter(({ id }) => /^codebot\/service-(?:unloaded|started)$/.test(id));
    assert.deepEqual(
      steps.map(({ action }) => action.kind === "run" && action.argv[1]),
      ["bootout", "bootstrap"],
    );
    const ledger = Ledger.read(machine);
    // What the ledger would note is not what is looked at here, nor may it be written.
    for (const { origin: _, forgets: __, ...step } of steps) await perform(step, { machine, ledger, agentbus: [] });
    assert.deepEqual(machine.ran, ["bootout", "bootstrap"]);
    assert.equal((await machine.run(["launchctl", "print", TARGET])).status, 0);
  });
});
