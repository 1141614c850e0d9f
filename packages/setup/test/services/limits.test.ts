import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NEEDS_CONTROLLERS, SystemdMachine } from "../support/systemd-machine.js";

const FILE = "/etc/agentbus.json";
const MEGABYTE = 1024 * 1024;

/** Does one thing too much of, and says how far it got. */
const GREEDY = `
import fs from "node:fs";
import { spawn, spawnSync } from "node:child_process";
const [what] = process.argv.slice(2);
console.log("begins");
if (what === "memory") {
  const kept = [];
  for (let megabytes = 0; megabytes < 400; megabytes += 10) kept.push(Buffer.alloc(10 * ${MEGABYTE}, 1));
  console.log("allocated all of it", kept.length);
}
if (what === "tasks") {
  const children = [];
  try {
    while (children.length < 100) {
      const child = spawn("sleep", ["60"], { stdio: "ignore" });
      const failed = await new Promise((resolve) => child.on("error", (error) => resolve(error.code)).on("spawn", () => resolve()));
      if (failed !== undefined) { console.log(failed); break; }
      children.push(child);
    }
  } finally {
    console.log(children.length < 100 ? "fewer" : "all");
    for (const child of children) child.kill();
  }
}
`;

describe("limits, by systemd's cgroups", { skip: NEEDS_CONTROLLERS }, () => {
  test("hold for a service and for all sessions of an agent together: its memory and its tasks", async (context) => {
    const machine = await SystemdMachine.boot(context, true);
    machine.must(["useradd", "--create-home", "--user-group", "alice"]);
    machine.write("/etc/greedy.mjs", GREEDY);
    const service = { command: ["/bin/sleep", "infinity"] };
    const limits = { memory: "200M", cpu: "50%", tasks: 60, files: 512 };
    const file = {
      version: 1,
      humans: { alice: { groups: ["agents"] } },
      groups: { agents: {} },
      agents: { codebot: { groups: ["agents"], limits, lifecycle: { service } } },
    };
    machine.write(FILE, JSON.stringify(file));
    machine.apply(FILE);
    const uid = machine.must(["id", "-u", "codebot"]).trim();

    const shown = (unit: string) =>
      Object.fromEntries(
        machine
          .must(["systemctl", "show", "-p", "MemoryMax,TasksMax,CPUQuotaPerSecUSec", unit])
          .trim()
          .split("\n")
          .map((line) => line.split("=")),
      ) as Record<string, string>;
    for (const unit of ["agentbus-codebot.service", `user-${uid}.slice`])
      assert.deepEqual(
        shown(unit),
        { MemoryMax: String(200 * MEGABYTE), TasksMax: "60", CPUQuotaPerSecUSec: "500ms" },
        unit,
      );

    const ofService = machine
      .must(["systemctl", "cat", "agentbus-codebot.service"])
      .split("\n")
      .filter((line) => /^(?:Memory|Tasks)/.test(line));
    for (const [place, lines] of [
      ["a session", [`Slice=user-${uid}.slice`]],
      ["its service", ofService],
    ] as const) {
      const doMuch = (what: string) => {
        const unit = [
          ...["[Service]", "Type=oneshot", "User=codebot", "StandardOutput=truncate:/run/said", ...lines],
          `ExecStart=${process.execPath} /etc/greedy.mjs ${what}`,
        ];
        machine.write("/etc/systemd/system/greedy.service", `${unit.join("\n")}\n`);
        machine.must(["systemctl", "daemon-reload"]);
        const { status } = machine.run(["systemctl", "start", "greedy.service"]);
        return { status, said: machine.must(["cat", "/run/said"]) };
      };
      const memory = doMuch("memory");
      assert.notEqual(memory.status, 0, place);
      assert.equal(memory.said, "begins\n", place);
      assert.deepEqual(doMuch("tasks"), { status: 0, said: "begins\nEAGAIN\nfewer\n" }, place);
    }
  });
});
