import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { apply, FILE } from "./prepared-machine.js";
import { SandboxMachine } from "./sandbox-machine.js";

/** An account and a group as somebody has made them by hand, with a life of their own. */
const BY_HAND = `
set -e
groupadd --gid 41900 crew; groupadd --gid 41901 devs
useradd --create-home --uid 41500 --gid users --groups tape,devs,audio --shell /bin/sh --comment "A person" codebot
useradd --no-create-home --uid 41501 --gid users --groups crew bob
rm -f /home/codebot/.bashrc /home/codebot/.zshenv
cat > /home/codebot/.profile <<'END'
# mine
umask 022
export MINE=1
END
printf 'no line end' >> /home/codebot/.profile
printf '[alias]\\n\\tst = status\\n[user]\\n\\tname = Somebody\\n' > /home/codebot/.gitconfig
mkdir -p /home/codebot/work/deep
echo work > /home/codebot/work/deep/file
chmod 0444 /home/codebot/.profile
chown -R codebot:users /home/codebot
chmod 2775 /home/codebot/work; chmod 0755 /home/codebot
`;

/** What makes an agent of it. */
export const GIVEN_SETUP = {
  version: 1,
  humans: { alice: { groups: ["crew"] } },
  groups: { crew: {} },
  agents: {
    codebot: { groups: ["crew"], shell: "/bin/bash", git: { name: "Agent", email: "agent@example.org" } },
  },
};

/** A machine with an account codebot that somebody has made by hand, and has worked in. */
export async function withAccount(context: TestContext): Promise<SandboxMachine> {
  const machine = await SandboxMachine.make(context);
  machine.addHuman("alice");
  machine.sh(BY_HAND);
  machine.write(FILE, JSON.stringify(GIVEN_SETUP));
  return machine;
}

export function adopt(machine: SandboxMachine): void {
  const { status, stderr } = apply(machine, "--adopt", "codebot", "--adopt", "crew");
  assert.equal(status, 0, stderr);
}

/** @returns what it said */
export function remove(machine: SandboxMachine, ...what: string[]): string {
  const { status, stdout, stderr } = machine.setup(["remove", ...what, "--yes"]);
  assert.equal(status, 0, stdout + stderr);
  return stderr;
}
