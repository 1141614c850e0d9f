import type { Account } from "#setup/machine.js";
import type { AgentSetup, ServiceSetup } from "#setup/setup.js";

export const ACCOUNT: Account = { name: "codebot", uid: 2000, gid: 2000, home: "/home/codebot", shell: "/bin/bash" };

/** An agent with everything that a service can have. */
export function servedAgent(
  profile: ServiceSetup["profile"],
  more: Partial<ServiceSetup> = {},
): AgentSetup & { service: ServiceSetup } {
  return {
    name: "codebot",
    groups: ["agents", "ops"],
    shell: undefined,
    umask: 0o027,
    homeMode: 0o700,
    environmentFile: ".config/agentbus/env",
    git: undefined,
    limits: { memoryBytes: 2 * 1024 ** 3, cpuPercent: 150, tasks: 256, files: 4096, fileSizeBytes: 1024 ** 3 },
    service: {
      command: ["/usr/bin/node", "agent.mjs"],
      workingDirectory: undefined,
      restart: "always",
      profile,
      namespaces: false,
      ...more,
    },
    sudo: [],
    channels: { sockets: true, pipes: true },
  };
}
