import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { VerifyFinding } from "#setup/verify/finding.js";
import { SandboxMachine, type Ended } from "#setup-test/support/sandbox-machine.js";

/** What the machine of these tests is made from: two agents that share a spool with a human, one of them barred from channels, and a third that has its own. */
export const SETUP = {
  version: 1,
  humans: { anna: { groups: ["agents"] } },
  groups: { agents: {}, ops: {} },
  agents: {
    codebot: { groups: ["agents"], sudo: [{ command: ["/usr/local/sbin/restart-app", "now"] }] },
    reviewer: { groups: ["agents"], channels: { sockets: false, pipes: false } },
    auditor: { groups: ["ops"] },
  },
} as const;

const SETUP_PATH = "/etc/agentbus.json";
const BIN_DIR = "/mnt/bin";
const PATH = `${BIN_DIR}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

/** A record of `verify`: a finding, or what passed. */
export type VerifyRecord = Pick<VerifyFinding, "check"> & Partial<VerifyFinding>;

/** A machine of its own, with anna's account in it and the file that asks for the agents. */
export class AgentsMachine {
  private constructor(readonly sandbox: SandboxMachine) {}

  static async make(context: TestContext): Promise<AgentsMachine> {
    const sandbox = await SandboxMachine.make(context);
    sandbox.sh(`
      set -e
      mount -t tmpfs -o mode=755 tmpfs /usr/local/sbin
      mount -t tmpfs -o mode=1777 tmpfs /var/tmp
      chmod 1730 /var/spool/cron/crontabs
      printf '#!/bin/sh\\n' > /usr/local/sbin/restart-app
      chmod 0755 /usr/local/sbin/restart-app
      mkdir ${BIN_DIR}
      ln -s ${sandbox.agentbus} ${BIN_DIR}/agentbus
    `);
    sandbox.addHuman("anna");
    sandbox.sh("chmod 0700 /home/anna");
    const machine = new AgentsMachine(sandbox);
    machine.write(SETUP);
    return machine;
  }

  /** Its agentbus.json. */
  write(setup: unknown): void {
    this.sandbox.write(SETUP_PATH, JSON.stringify(setup, undefined, 2));
  }

  /** As an administrator would, with the command where it is found. */
  sh(script: string): string {
    return this.sandbox.must(["sh", "-c", script], { env: { PATH } });
  }

  run(script: string): Ended {
    return this.sandbox.run(["sh", "-c", script], { env: { PATH } });
  }

  /** Gives the command of a finding, and says yes where it would ask. What only shows something may end as it likes. */
  mend(fix: string): void {
    if (fix.startsWith("agentbus setup plan")) return;
    this.sh(fix.startsWith("agentbus setup apply") ? `${fix} --yes` : fix);
  }

  apply(): string {
    return this.sh(`agentbus setup apply ${SETUP_PATH} --yes 2>&1`);
  }

  remove(): string {
    return this.sh(`agentbus setup remove --all --yes`);
  }

  verify(): VerifyRecord[] {
    const { stdout, stderr, status } = this.sandbox.run(["agentbus", "setup", "verify", SETUP_PATH, "--json"], {
      env: { PATH },
    });
    const records = stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as VerifyRecord);
    if (records.length === 0) throw new Error(`verify ended with ${status}, and said only: ${stderr}`);
    assert.equal(status, findingsIn(records).length === 0 ? 0 : 1, stderr);
    return records;
  }

  /** What keeps the isolation from being whole. */
  errors(): VerifyFinding[] {
    return findingsIn(this.verify()).filter(({ severity }) => severity === "error");
  }
}

export function findingsIn(records: readonly VerifyRecord[]): VerifyFinding[] {
  return records.filter((record): record is VerifyFinding => record.message !== undefined);
}
