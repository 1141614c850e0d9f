import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { assertSame, NEEDS_NAMESPACES, SandboxMachine } from "./support/sandbox-machine.js";

const NEEDS_TMPFILES =
  NEEDS_NAMESPACES ||
  (spawnSync("systemd-tmpfiles", ["--version"]).status === 0 ? false : "needs systemd-tmpfiles (systemd)");

const SETUP = { version: 1, groups: { agents: {} }, agents: { codebot: { groups: ["agents"] } } };

test(
  "where systemd runs, its tmpfiles put the spool's owners and modes right, and touch nothing else in it",
  { skip: NEEDS_TMPFILES },
  async (context) => {
    const machine = await SandboxMachine.make(context);
    machine.write("/tmp/agentbus.json", JSON.stringify(SETUP));
    machine.must([process.execPath, machine.agentbus, "setup", "apply", "/tmp/agentbus.json", "--yes"]);
    // systemd does not run here, so the file that apply would write is taken from the plan.
    const plan = `
    import { FLAVOURS, makePlan, PretendedMachine, readSetupFile } from "/mnt/agentbus/packages/setup/dist/index.js";
    const { changes } = await makePlan(readSetupFile("/tmp/agentbus.json"), new PretendedMachine({ flavour: FLAVOURS.debian }));
    console.log(changes.find(({ id }) => id === "spool/tmpfiles").action.file.text);`;
    machine.write("/etc/tmpfiles.d/agentbus.conf", machine.module(plan));
    const wanted = machine.snapshot();
    machine.sh(
      "cd /var/spool/agentbus/agents && chmod 0777 . outbox && chmod 2770 subscriptions && chown codebot:codebot run && rmdir pipes && chmod 0777 ..",
    );
    machine.must(["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/agentbus.conf"]);
    assertSame(machine.snapshot(), wanted, "all is as it was made");
  },
);
