import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import type { TestContext } from "node:test";
import type { VerifyFinding } from "#setup/verify/finding.js";
import { NEEDS_NAMESPACES, SandboxMachine, type Ended } from "#setup-test/support/sandbox-machine.js";

const TOOLS = { sudo: "sudo", python3: "python3", getcap: "libcap2-bin", setcap: "libcap2-bin" };

/** What `test(name, { skip })` takes: false where these machines can be made, and verify finds nothing on them that it could not try. */
export const NEEDS_AGENTS: string | false =
  NEEDS_NAMESPACES ||
  (Object.entries(TOOLS)
    .filter(([tool]) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0)
    .map(([tool, debianPackage]) => `needs ${tool} (Debian: ${debianPackage})`)[0] ??
    false);

interface SetupFile {
  readonly humans: Record<string, object>;
  readonly groups: Record<string, object>;
  readonly agents: Record<string, { readonly sudo?: readonly object[] }>;
}

export const EXAMPLE_PATH = new URL("../../../examples/agentbus.json", import.meta.url);

/** The file that a reader copies: alice, codebot and reviewer, who share a spool. */
export const EXAMPLE = JSON.parse(fs.readFileSync(EXAMPLE_PATH, "utf8")) as SetupFile;

const { codebot, reviewer } = EXAMPLE.agents;

/** What the machine of these tests is made from: the example, and what is to be broken beyond it. */
export const SETUP = {
  ...EXAMPLE,
  // The spool that nobody of the others is in.
  groups: { ...EXAMPLE.groups, ops: {} },
  agents: {
    // A program that a test may give away; the one of the example is the machine's own systemctl.
    codebot: { ...codebot, sudo: [...(codebot?.sudo ?? []), { command: ["/usr/local/sbin/restart-app", "now"] }] },
    reviewer: { ...reviewer, channels: { sockets: false, pipes: false } },
    auditor: { groups: ["ops"] },
  },
};

const SETUP_PATH = "/etc/agentbus.json";
const BIN_DIR = "/mnt/bin";
const PATH = `${BIN_DIR}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

/** A record of `verify`: a finding, or what passed. */
export type VerifyRecord = Pick<VerifyFinding, "check"> & Partial<VerifyFinding>;

/** A machine of its own, with alice's account in it and the file that asks for the agents. */
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
    sandbox.addHuman("alice");
    sandbox.sh("chmod 0700 /home/alice");
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
    if (/^agentbus (?:setup plan|doctor) /.test(fix)) return;
    this.sh(fix.replaceAll(/agentbus setup apply \S+/g, "$& --yes"));
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
