import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FLAVOURS, type Flavour } from "#setup/machine.js";
import { makePlan } from "#setup/plan/make-plan.js";
import { planScript } from "#setup/plan/plan-script.js";
import { planJson, planText } from "#setup/plan/plan-text.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { parseSetup } from "#setup/setup-file.js";

const ALL = { memory: "1G", cpu: "50%", tasks: 100, files: 512, fileSize: "1G" };
const SERVICE = { service: { command: ["/bin/agent"] } };
/** Debian in a container, and busybox with systemd. */
const PLAIN: Flavour = { ...FLAVOURS.debian, hasSystemd: false };
const SMALL: Flavour = { ...FLAVOURS.alpine, hasSystemd: true };

const NO_SYSTEMD = "without systemd nothing limits memory and cpu of all its processes together";
const NO_PAM = "busybox has no pam_limits, which limits processes of sessions";
const NO_MAC = "macOS enforces no limit of memory or cpu";
const DAEMONS = "launchd limits the daemons that it starts, and no sessions";

describe("limits that do not hold on a machine", () => {
  for (const [name, flavour, limits, ofLogin, ofService] of [
    ["Debian", FLAVOURS.debian, ALL, undefined, undefined],
    [
      "Debian without systemd",
      PLAIN,
      ALL,
      `not held: memory, cpu (${NO_SYSTEMD})`,
      `not held: memory, cpu (${NO_SYSTEMD})`,
    ],
    ["Debian without systemd, by their processes", PLAIN, { tasks: 100, files: 512 }, undefined, undefined],
    [
      "Alpine",
      FLAVOURS.alpine,
      ALL,
      `not held: memory, cpu, tasks, files, fileSize (${NO_SYSTEMD}; ${NO_PAM})`,
      `not held: memory, cpu, tasks, files, fileSize (${NO_SYSTEMD}; ${NO_PAM})`,
    ],
    [
      "busybox with systemd",
      SMALL,
      ALL,
      `not held: files, fileSize (${NO_PAM})`,
      `held for its service and not for its sessions: files, fileSize (${NO_PAM})`,
    ],
    [
      "macOS",
      FLAVOURS.darwin,
      ALL,
      `not held: memory, cpu, tasks, files, fileSize (${NO_MAC}; ${DAEMONS})`,
      `not held: memory, cpu; held for its service and not for its sessions: tasks, files, fileSize (${NO_MAC}; ${DAEMONS})`,
    ],
    ["macOS, where it has no limits", FLAVOURS.darwin, {}, undefined, undefined],
  ] as const) {
    test(`are one note for each agent, of logins and of services: ${name}`, async () => {
      const agents = {
        codebot: { groups: ["agents"], limits },
        reviewer: { groups: ["agents"], limits, lifecycle: SERVICE },
      };
      const file = JSON.stringify({ version: 1, groups: { agents: {} }, agents });
      const plan = await makePlan(parseSetup(file, "/etc/agentbus.json"), new PretendedMachine({ flavour }));
      const expected = [
        ...(ofLogin === undefined ? [] : [`limits of codebot on this machine: ${ofLogin}`]),
        ...(ofService === undefined ? [] : [`limits of reviewer on this machine: ${ofService}`]),
      ];
      const said = (lines: readonly string[]) =>
        lines.flatMap((line) => /^(?: {2}|# )(limits of .*)$/.exec(line)?.[1] ?? []);
      assert.deepEqual(said(planText(plan, flavour)), expected);
      assert.deepEqual(said(planScript(plan, flavour)), expected);
      const ofPrograms = planJson(plan, flavour).flatMap(({ note }) => (typeof note === "string" ? [note] : []));
      assert.deepEqual(
        ofPrograms.filter((note) => note.startsWith("limits of")),
        expected,
      );
    });
  }
});
