import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { SandboxMachine } from "#setup-test/support/sandbox-machine.js";
import { NEEDS_AGENTS } from "./agents-machine.js";

const README = new URL("../../../README.md", import.meta.url);

test(
  "README: what its section about accounts says to type prints what it says",
  { skip: NEEDS_AGENTS },
  async (context) => {
    const [commands = [], plan = [], apply = [], verify = []] = blocksOf("Give each agent its own account");
    assert.equal(commands.length, 4);
    const machine = await machineOfAlice(context);
    const asAlice = (command: string) => {
      const words = ["sudo", "-u", "alice", "env", "-u", "SUDO_USER", "-u", "SUDO_UID", `PATH=${PATH}`];
      const { stdout } = machine.run([...words, "sh", "-c", `cd /home/alice && { ${command}; } 2>&1`], {
        env: { PATH },
      });
      // Where Node is in a place of its own, sudo has to be told.
      return stdout.replaceAll('sudo env "PATH=$PATH" agentbus', "sudo agentbus");
    };
    const printed = commands.map((command) =>
      // As somebody says who says yes; and a second time, as README does.
      asAlice(command.endsWith(" apply") ? `${command} --yes && ${command} --yes` : command),
    );
    const [, planned = "", applied = "", verified = ""] = printed;
    assertPrinted(planned, plan);
    assertPrinted(applied, apply);
    assertPrinted(verified, verify);
  },
);

const BIN_DIR = "/mnt/bin";
const PATH = `${BIN_DIR}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${process.env["PATH"] ?? ""}`;

/** Of a person called alice, whose home is open as Debian makes it, and who may use sudo. */
async function machineOfAlice(context: Parameters<typeof SandboxMachine.make>[0]): Promise<SandboxMachine> {
  const machine = await SandboxMachine.make(context);
  machine.sh(`
    set -e
    mount -t tmpfs -o mode=755 tmpfs /usr/local/sbin
    mount -t tmpfs -o mode=1777 tmpfs /var/tmp
    ln -s ${machine.agentbus} /usr/local/sbin/agentbus
    chmod 1730 /var/spool/cron/crontabs
    # The numbers that setup gives are not to depend on the accounts of this machine.
    for file in passwd group; do
      awk -F: '$3 < 2000 || $3 >= 60000' /etc/$file > /mnt/$file && cat /mnt/$file > /etc/$file
    done
  `);
  machine.addHuman("alice");
  machine.sh(`
    chmod 0755 /home/alice && touch /home/alice/.profile
    echo 'alice ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/alice && chmod 0440 /etc/sudoers.d/alice
  `);
  return machine;
}

/** The lines of the blocks of a section; of commands without what is said about them. */
function blocksOf(title: string): string[][] {
  const [, section = ""] = fs.readFileSync(README, "utf8").split(`## ${title}\n`);
  const [text = ""] = section.split("\n## ");
  return [...text.matchAll(/^```\n([^]*?)^```$/gm)].map(([, block = ""]) =>
    block
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replace(/(?<=\S) {2,}# .*$/, "")),
  );
}

/** In this order, with others between them; a line that ends in "…" goes on. */
function assertPrinted(output: string, wanted: readonly string[]): void {
  assert.ok(wanted.length > 0);
  const lines = output.split("\n");
  let at = 0;
  for (const line of wanted) {
    const start = line.endsWith("…") ? line.slice(0, -1) : undefined;
    const next = lines.findIndex(
      (each, index) => index >= at && (start === undefined ? each === line : each.startsWith(start)),
    );
    assert.notEqual(next, -1, `${JSON.stringify(line)} was not printed, or not in this place:\n${output}`);
    at = next + 1;
  }
}
