import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Origin } from "#setup/ledger.js";
import { FLAVOURS, type Machine } from "#setup/machine.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { isSleepDisabled, parsePmset } from "#setup/power/pmset.js";
import { powerWanted } from "#setup/power/power-wanted.js";
import { undoing } from "#setup/remove/undo.js";

const CUSTOM = `Battery Power:
 Sleep On Power Button 1
 lidwake              1
 powernap             1
 ttyskeepawake        1
 sleep                1 (sleep prevented by bluetoothd)
 disksleep            10
AC Power:
 womp                 1
 autorestart          0
 powernap             1
 ttyskeepawake        1
 sleep                0
 disksleep            10
`;

/** A Mac whose settings can be set. */
function mac(): { machine: Machine; ran: string[] } {
  const settings = new Map([...parsePmset(CUSTOM)].map(([flag, values]) => [flag as string, { ...values }]));
  const state = { isDisabled: "0" };
  const ran: string[] = [];
  const answer = (argv: readonly string[]): string => {
    const [, flag = "", name = "", value = ""] = argv;
    if (argv.join(" ") === "pmset -g") return `System-wide power settings:\n SleepDisabled\t\t${state.isDisabled}\n`;
    if (argv.join(" ") === "pmset -g custom")
      return [...settings]
        .map(
          ([source, values]) =>
            `${source === "-c" ? "AC" : "Battery"} Power:\n${Object.entries(values)
              .map(([key, each]) => ` ${key}  ${each}\n`)
              .join("")}`,
        )
        .join("");
    ran.push(argv.join(" "));
    if (name === "disablesleep") state.isDisabled = value;
    else (settings.get(flag) ?? {})[name] = value;
    return "";
  };
  const machine = Object.create(new PretendedMachine({ flavour: FLAVOURS.darwin }), {
    run: { value: (argv: readonly string[]) => Promise.resolve({ status: 0, stdout: answer(argv), stderr: "" }) },
  }) as Machine;
  return { machine, ran };
}

describe("keeping the machine awake", () => {
  test("is nothing that is done unasked", async () => {
    for (const flavour of [FLAVOURS.debian, FLAVOURS.darwin]) {
      const { files, commands } = await powerWanted(
        { stayAwake: false, lidClosed: false },
        new PretendedMachine({ flavour }),
      );
      assert.deepEqual([files, commands], [[], []]);
    }
  });

  test("on Linux is a drop-in of logind, which ignores the lid only where asked, and warns", async () => {
    const machine = new PretendedMachine({ flavour: FLAVOURS.debian });
    const idle = (await powerWanted({ stayAwake: true, lidClosed: false }, machine)).files[0];
    assert.equal(idle?.path, "/etc/systemd/logind.conf.d/50-agentbus.conf");
    assert.match(idle.text, /\n\[Login\]\nIdleAction=ignore\n$/);
    const lid = (await powerWanted({ stayAwake: true, lidClosed: true }, machine)).files[0];
    assert.match(
      lid?.text ?? "",
      /HandleLidSwitch=ignore\nHandleLidSwitchExternalPower=ignore\nHandleLidSwitchDocked=ignore\n$/,
    );
    assert.match(String(lid?.remarks), /becomes hot/);
    assert.match(
      String(
        (await powerWanted({ stayAwake: true, lidClosed: false }, new PretendedMachine({ flavour: FLAVOURS.alpine })))
          .notes,
      ),
      /nothing is changed/,
    );
  });

  test("on macOS changes each value that this Mac has and that differs, and nothing the second time", async () => {
    const { machine, ran } = mac();
    for (const command of (await powerWanted({ stayAwake: true, lidClosed: true }, machine)).commands) {
      if (!(await command.isDone(machine))) await machine.run(command.argv);
      assert.ok(await command.isDone(machine), command.id);
    }
    assert.deepEqual(ran, [
      "pmset -b sleep 0",
      "pmset -b disksleep 0",
      "pmset -b powernap 0",
      "pmset -c disksleep 0",
      "pmset -c powernap 0",
      "pmset -c autorestart 1",
      "pmset -a disablesleep 1",
    ]);
  });

  test("on macOS is taken back value by value, disablesleep included, to what was there", async () => {
    const { machine, ran } = mac();
    const before = (await machine.run(["pmset", "-g", "custom"])).stdout;
    const { commands } = await powerWanted({ stayAwake: true, lidClosed: true }, machine);
    for (const command of commands) await machine.run(command.argv);
    assert.notEqual((await machine.run(["pmset", "-g", "custom"])).stdout, before);
    for (const { setting, undo } of commands) {
      assert.ok(undo !== undefined && setting !== undefined);
      await machine.run(undo.argv.map((word) => word.replace("{before}", setting.value)));
      assert.ok(await undo.isUndone(machine), undo.title);
    }
    assert.equal((await machine.run(["pmset", "-g", "custom"])).stdout, before);
    assert.equal(isSleepDisabled((await machine.run(["pmset", "-g"])).stdout), false);
    assert.ok(ran.includes("pmset -b sleep 1"));
  });

  test("on macOS is taken back as the ledger has it, but for what somebody has set to another value since", async () => {
    for (const isOfEarlierVersion of [false, true]) {
      const { machine } = mac();
      const before = (await machine.run(["pmset", "-g", "custom"])).stdout;
      const { commands } = await powerWanted({ stayAwake: true, lidClosed: true }, machine);
      const entries = commands.flatMap(({ setting, undo }): Origin[] => {
        assert.ok(setting !== undefined && undo !== undefined);
        const { key, value, wanted } = setting;
        const argv = undo.argv.map((word) => word.replace("{before}", value));
        const set = isOfEarlierVersion ? {} : { set: [wanted] };
        return [{ key: `setting:${key}`, how: "changed", before: value, undo: argv, ...set }];
      });
      for (const command of commands) await machine.run(command.argv);
      await machine.run(["pmset", "-b", "disksleep", "3"]);
      const notes: string[] = [];
      for (const change of await undoing({ machine, notes }, entries)) {
        if (change.action.kind === "run") await machine.run(change.action.argv);
        assert.ok(await change.hasTakenEffect(machine), change.id);
      }
      // 10 on battery and with a cable; the first is somebody's now.
      assert.equal(
        (await machine.run(["pmset", "-g", "custom"])).stdout,
        before.replace("disksleep  10", "disksleep  3"),
      );
      assert.equal(isSleepDisabled((await machine.run(["pmset", "-g"])).stdout), false);
      assert.deepEqual(notes, [
        "the setting pmset-b.disksleep is 3, which is not setup's doing: it stays, and was 10 before setup",
      ]);
    }
  });

  test("warns of the heat before it disables sleep with a closed lid", async () => {
    const { commands } = await powerWanted(
      { stayAwake: false, lidClosed: true },
      new PretendedMachine({ flavour: FLAVOURS.darwin }),
    );
    assert.deepEqual(
      commands.map(({ argv }) => argv.join(" ")),
      ["pmset -a disablesleep 1"],
    );
    assert.match(String(commands[0]?.remarks), /becomes hot, in a bag dangerously so/);
  });
});
