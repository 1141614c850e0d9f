import type { AgentSetup, LimitsSetup, Setup, SpoolLimitsSetup } from "../setup.js";

/** agentbus.json as the schema lets it pass. */
export interface RawSetup {
  readonly version: 1;
  readonly humans?: Readonly<Record<string, { readonly groups: readonly string[] }>>;
  readonly groups: Readonly<Record<string, { readonly limits?: SpoolLimitsSetup }>>;
  readonly agents: Readonly<Record<string, RawAgent>>;
  readonly power?: { readonly stayAwake?: boolean; readonly lidClosed?: boolean };
}

interface RawAgent {
  readonly groups: readonly string[];
  readonly shell?: string;
  readonly umask?: string;
  readonly homeMode?: string;
  readonly environmentFile?: string;
  readonly git?: { readonly name: string; readonly email: string };
  readonly limits?: {
    readonly memory?: string;
    readonly cpu?: string;
    readonly tasks?: number;
    readonly files?: number;
    readonly fileSize?: string;
  };
  readonly lifecycle?: "login" | { readonly service: RawService };
  readonly sudo?: readonly { readonly command: readonly [string, ...string[]]; readonly runAs?: string }[];
  readonly channels?: { readonly sockets?: boolean; readonly pipes?: boolean };
}

interface RawService {
  readonly command: readonly [string, ...string[]];
  readonly workingDirectory?: string;
  readonly restart?: "always" | "on-failure" | "no";
  readonly profile?: "hardened" | "sudo";
  readonly namespaces?: boolean;
}

export const DEFAULTS = Object.freeze({
  umask: "027",
  homeMode: "0700",
  environmentFile: ".config/agentbus/env",
  restart: "always",
  runAs: "root",
});

export function withDefaults({ humans = {}, groups, agents, power }: RawSetup, path: string): Setup {
  return {
    path,
    humans: Object.entries(humans).map(([name, human]) => ({ name, groups: human.groups })),
    groups: Object.entries(groups).map(([name, { limits = {} }]) => ({ name, limits })),
    agents: Object.entries(agents).map(([name, agent]) => agentOf(name, agent)),
    power: { stayAwake: power?.stayAwake ?? false, lidClosed: power?.lidClosed ?? false },
  };
}

function agentOf(name: string, raw: RawAgent): AgentSetup {
  const { groups, shell, git, limits = {}, lifecycle, sudo = [], channels } = raw;
  const service = typeof lifecycle === "object" ? lifecycle.service : undefined;
  return {
    name,
    groups,
    shell,
    umask: Number.parseInt(raw.umask ?? DEFAULTS.umask, 8),
    homeMode: Number.parseInt(raw.homeMode ?? DEFAULTS.homeMode, 8),
    environmentFile: raw.environmentFile ?? DEFAULTS.environmentFile,
    git,
    limits: limitsOf(limits),
    service: service && {
      command: service.command,
      workingDirectory: service.workingDirectory,
      restart: service.restart ?? DEFAULTS.restart,
      profile: service.profile ?? (sudo.length > 0 ? "sudo" : "hardened"),
      namespaces: service.namespaces ?? false,
    },
    sudo: sudo.map(({ command, runAs = DEFAULTS.runAs }) => ({ command, runAs })),
    channels: { sockets: channels?.sockets ?? true, pipes: channels?.pipes ?? true },
  };
}

function limitsOf({ memory, cpu, tasks, files, fileSize }: NonNullable<RawAgent["limits"]>): LimitsSetup {
  return {
    ...(memory === undefined ? {} : { memoryBytes: bytesOf(memory) }),
    ...(cpu === undefined ? {} : { cpuPercent: Number.parseInt(cpu, 10) }),
    ...(tasks === undefined ? {} : { tasks }),
    ...(files === undefined ? {} : { files }),
    ...(fileSize === undefined ? {} : { fileSizeBytes: bytesOf(fileSize) }),
  };
}

const UNITS = { K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

function bytesOf(size: string): number {
  return Number.parseInt(size, 10) * UNITS[size.at(-1) as keyof typeof UNITS];
}
