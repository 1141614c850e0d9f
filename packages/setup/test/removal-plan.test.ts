import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, test } from "node:test";
import { Ledger } from "#setup/ledger.js";
import { FLAVOURS, type Flavour } from "#setup/machine.js";
import type { Change } from "#setup/plan/change.js";
import { commandText } from "#setup/plan/command-text.js";
import { planText } from "#setup/plan/plan-text.js";
import { knownAgents, planRemoval, type Removal } from "#setup/remove/plan-removal.js";
import { parseSetup, readSetupFile } from "#setup/setup-file.js";
import type { Setup } from "#setup/setup.js";
import { AppliedMachine } from "./support/applied-machine.js";

const repository = new URL("../../../../", import.meta.url);
const goldenDir = new URL("packages/setup/test/golden/", repository);
const example = new URL("examples/agentbus.json", repository);
/** As of the golden plans of apply: `UPDATE_GOLDEN=1`. */
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";
const AT = new Date("2026-01-02T03:04:05Z");

describe("the removal of examples/agentbus.json", () => {
  for (const [name, flavour] of Object.entries(FLAVOURS) as [string, Flavour][]) {
    test(`from ${name} is the golden one`, async () => {
      const { changes, notes } = await removalOf(readSetupFile(example.pathname), flavour);
      const actual = `${planText({ changes, notes, conflicts: [] }, flavour).join("\n")}\n`;
      const path = new URL(`removal-${name}.txt`, goldenDir);
      if (isUpdate) fs.writeFileSync(path, actual);
      assert.equal(actual, fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "(there is no golden file)");
    });
  }
});

describe("the order of a removal, of any file and on any platform,", () => {
  const rounds = Object.entries(FLAVOURS).flatMap(([name, flavour]) =>
    Array.from({ length: 20 }, (_, seed) => ({ name: `${name} ${seed}`, flavour, setup: someSetup(seed) })),
  );
  /** Holds of each, or says of which it does not. */
  const everywhere = async (holds: (steps: Steps, setup: Setup) => void) => {
    for (const { name, flavour, setup } of rounds) {
      const { changes } = await removalOf(setup, flavour);
      const steps = new Steps(changes, flavour, name);
      holds(steps, setup);
    }
  };

  test("ends what an agent may do as root before anything else of it, so that it cannot use that when it notices", async () => {
    await everywhere((steps, { agents }) => {
      for (const { name } of agents) steps.inOrder([sudoOf(name)], steps.of(name, sudoOf(name)));
    });
  });

  test("stops a service and takes its file away before it looks for processes, or they would be started again", async () => {
    await everywhere((steps, { agents }) => {
      for (const { name } of agents) {
        steps.inOrder([stopOf(name)], [unitOf(name)], [/systemctl daemon-reload/, name], [killOf(name)]);
        steps.inOrder([/launchctl bootout user\//, name], [killOf(name)]);
      }
    });
  });

  test("shuts every door to new processes before it kills, and looks once more for jobs afterwards", async () => {
    await everywhere((steps, { agents }) => {
      for (const { name } of agents) {
        steps.inOrder([/usermod --expiredate/, name], [killOf(name)]);
        steps.inOrder([/disable-linger/, name], [killOf(name)]);
        steps.inOrder([`${name}/jobs:`], [killOf(name)], [`${name}/later-jobs:`]);
        steps.isThere(killOf(name));
      }
    });
  });

  test("touches what an agent owns, packs its home, and deletes its account only when no process of it is left", async () => {
    await everywhere((steps, { agents }) => {
      for (const { name } of agents) {
        steps.inOrder(
          [killOf(name)],
          [new RegExp(`^${name}/(?:spool|messages)-`)],
          [`${name}/home-archived`],
          [`${name}/home-removed`],
          [`${name}/account-removed`],
        );
        for (const id of ["home-archived", "home-removed", "account-removed"]) {
          steps.isThere(`${name}/${id}`);
          steps.needs(`${name}/${id}`, killOf(name));
        }
        steps.needs(`${name}/home-removed`, `${name}/home-archived`);
      }
    });
  });

  test("gives the account of an agent up after it has left its groups, its own group after that, and its uid to nobody", async () => {
    await everywhere((steps, { agents }) => {
      for (const { name } of agents) {
        // gpasswd and userdel take it out of groups of themselves; macOS's directory does not.
        steps.inOrder(
          [`${name}/not-member-of-`],
          [`${name}/account-removed`],
          [`${name}/group-removed`],
          [`${name}/forgotten`],
        );
        assert.equal(steps.last(name), `${name}/forgotten`);
        assert.ok(steps.find(`${name}/account-removed`)?.retires !== undefined);
        assert.ok(steps.find(`${name}/forgotten`)?.retires !== undefined);
      }
    });
  });

  test("keeps what agents share until the last of them is gone, and the group of a spool until the spool is", async () => {
    await everywhere((steps, { agents, groups }) => {
      const gone = agents.map(({ name }) => `${name}/forgotten`);
      for (const { name } of groups) {
        for (const each of gone)
          steps.inOrder([each], [`${name}/spool-removed`], [`${name}/group-removed`], ["all/forgotten"]);
        steps.inOrder([`/not-member-of-${name}`, "human"], [`${name}/group-removed`]);
        steps.inOrder([`${name}/spool-removed`], ["spool/root"]);
      }
      assert.equal(steps.changes.at(-1)?.id, "all/forgotten");
    });
  });

  test("takes back all that apply has made", async () => {
    for (const { name, flavour, setup } of rounds) {
      const machine = await AppliedMachine.of(setup, flavour);
      const ledger = Ledger.read(machine);
      const { changes } = await planRemoval(machine, knownAgents(ledger), true, { at: AT });
      const forgotten = new Set(changes.flatMap(({ forgets = [] }) => forgets));
      for (const { key } of ledger.entries) {
        const [kind] = key.split(":");
        // Those of an agent's account go with it; a spool by a step of its own, looked at above.
        if (kind === "account" || kind === "spool" || key.startsWith("due:")) continue;
        if (kind === "member" && setup.agents.some((agent) => key.endsWith(`:${agent.name}`))) continue;
        assert.ok(forgotten.has(key), `${name}: ${key}`);
      }
    }
  });
});

async function removalOf(setup: Setup, flavour: Flavour): Promise<Removal> {
  const machine = await AppliedMachine.of(setup, flavour);
  return planRemoval(machine, knownAgents(Ledger.read(machine)), true, { at: AT });
}

const sudoOf = (name: string) => new RegExp(`^file:(?:/private)?/etc/sudoers\\.d/60-agentbus-${name}/removed`);
const stopOf = (name: string) => new RegExp(`^command:${name}/service-(?:enabled|started)/undone`);
const unitOf = (name: string) =>
  new RegExp(`^file:/(?:etc/systemd/system|Library/LaunchDaemons)/agentbus[.-]${name}\\.(?:service|plist)/removed`);
const killOf = (name: string) => `${name}/processes`;

/** An id, its beginning, or what its id or its command says; with it, whose step it is. */
type Which = readonly [pattern: string | RegExp, owner?: string];

/** The steps of a removal, to be asked for their order. */
class Steps {
  readonly changes: readonly Change[];
  readonly #texts: readonly string[];
  readonly #what: string;

  constructor(changes: readonly Change[], flavour: Flavour, what: string) {
    this.changes = changes;
    this.#texts = changes.map(({ action }) => commandText(action, flavour));
    this.#what = what;
  }

  /** All of each kind stand before all of the next that there are any of. */
  inOrder(...kinds: readonly (Which | readonly number[])[]): void {
    let [before, last] = ["", -1];
    for (const kind of kinds) {
      const places = isPlaces(kind) ? kind : this.#places(kind);
      if (places.length === 0) continue;
      const first = Math.min(...places);
      assert.ok(first > last, `${this.#what}: ${this.changes[first]?.id} (${first}) comes before ${before} (${last})`);
      last = Math.max(...places);
      before = this.changes[last]?.id ?? "";
    }
  }

  /** All steps of an agent but those. */
  of(name: string, except: RegExp): number[] {
    return this.#ofAgent(name).filter((place) => !except.test(this.changes[place]?.id ?? ""));
  }

  last(name: string): string | undefined {
    return this.changes[this.#ofAgent(name).at(-1) ?? -1]?.id;
  }

  find(id: string): Change | undefined {
    return this.changes.find((change) => change.id === id);
  }

  isThere(id: string): void {
    assert.ok(this.find(id) !== undefined, `${this.#what}: there is no ${id}`);
  }

  /** Left out while the other has failed, itself or by what it needs. */
  needs(id: string, other: string): void {
    const needed = this.find(id)?.needs ?? [];
    assert.ok(needed.includes(other), `${this.#what}: ${id} needs ${needed.join(", ")}, and not ${other}`);
  }

  /** Steps stand agent by agent: from its first to what forgets it. */
  #ofAgent(name: string): number[] {
    const end = this.changes.findIndex(({ id }) => id === `${name}/forgotten`);
    const begin = this.changes.slice(0, end).findLastIndex(({ id }) => id.endsWith("/forgotten")) + 1;
    return Array.from({ length: end - begin + 1 }, (_, index) => begin + index);
  }

  #places([pattern, owner]: Which): number[] {
    const among =
      owner === undefined
        ? this.changes.keys()
        : owner === "human"
          ? [...this.changes.keys()].slice(
              this.changes.findLastIndex(({ forgetsAgent = "" }) => forgetsAgent !== "") + 1,
            )
          : this.#ofAgent(owner);
    return [...among].filter((place) => {
      const [id, text] = [this.changes[place]?.id ?? "", this.#texts[place] ?? ""];
      return typeof pattern === "string"
        ? id.startsWith(pattern) || id.endsWith(pattern)
        : pattern.test(id) || pattern.test(text);
    });
  }
}

function isPlaces(kind: Which | readonly number[]): kind is readonly number[] {
  return typeof kind[0] === "number" || kind.length === 0;
}

/** The same for the same seed: some people, groups and agents, each agent with some of all that there is. */
function someSetup(seed: number): Setup {
  let state = seed + 1;
  const below = (limit: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
  const some = <Value>(values: readonly Value[]): Value[] => values.filter((_, index) => index === 0 || below(2) === 0);
  const groups = some(["agents", "ops", "lab"]);
  const agent = () => {
    const sudo = below(2) === 0 ? [{ command: ["/usr/bin/systemctl", "restart", "a.service"] }] : [];
    const service = { command: ["/usr/bin/agent"], restart: ["always", "on-failure", "no"][below(3)] };
    return {
      groups: some(groups),
      sudo,
      lifecycle: below(3) === 0 ? "login" : { service },
      ...(below(2) === 0 ? {} : { limits: { memory: "1G", files: 1024 } }),
      ...(below(2) === 0 ? {} : { channels: { sockets: below(2) === 0, pipes: false } }),
    };
  };
  const text = {
    version: 1,
    humans: Object.fromEntries(some(["anna", "bela"]).map((name) => [name, { groups: some(groups) }])),
    groups: Object.fromEntries(groups.map((name) => [name, {}])),
    agents: Object.fromEntries(some(["codebot", "reviewer", "code"]).map((name) => [name, agent()])),
    power: { stayAwake: below(2) === 0, lidClosed: below(2) === 0 },
  };
  return parseSetup(JSON.stringify(text), "/etc/agentbus.json");
}
