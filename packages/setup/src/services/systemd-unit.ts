import type { Account } from "../machine.js";
import type { AgentSetup, LimitsSetup, ServiceSetup } from "../setup.js";
import { spoolDirOf } from "../spool-place.js";
import { withEnvironment } from "./environment-loader.js";
import { execWord, unitText } from "./unit-words.js";

export function unitName(agent: string): string {
  return `agentbus-${agent}.service`;
}

export type ServedAgent = AgentSetup & { readonly service: ServiceSetup };

/** The unit that runs an agent: as its account, restarted as it wants, within its limits and its profile. */
export function systemdUnit(agent: ServedAgent, { name, home }: Pick<Account, "name" | "home">): string {
  const { service, umask, limits, environmentFile } = agent;
  const command = withEnvironment(`${home}/${environmentFile}`, service.command);
  return `# Managed by agentbus: \`agentbus setup apply\` writes this file again. Change agentbus.json, or add a drop-in with
# systemctl edit ${unitName(name)}, which agentbus leaves alone.
[Unit]
Description=agentbus agent ${name}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=600
StartLimitBurst=20

[Service]
Type=exec
User=${name}
Group=${name}
UMask=${umask.toString(8).padStart(4, "0")}
WorkingDirectory=${unitText(service.workingDirectory ?? home)}
# The agent reads its environment file itself. EnvironmentFile= would be read by root, through whatever link the agent puts there.
ExecStart=${command.map(execWord).join(" ")}
Restart=${service.restart}
RestartSec=10
TimeoutStopSec=30

${limitLines(limits).join("\n")}

${(service.profile === "hardened" ? hardened(agent, home) : sudoEnabled(agent, home)).join("\n")}

[Install]
WantedBy=multi-user.target
`;
}

/** cgroup limits count all processes together; the others hold for each. */
export function limitLines({ memoryBytes, cpuPercent, tasks, files, fileSizeBytes }: LimitsSetup): string[] {
  return [
    "# Limits",
    // Slowed down before it is killed, and never swapped out instead.
    ...(memoryBytes === undefined
      ? []
      : [`MemoryHigh=${Math.floor(memoryBytes * 0.9)}`, `MemoryMax=${memoryBytes}`, "MemorySwapMax=0"]),
    ...(cpuPercent === undefined ? [] : [`CPUQuota=${cpuPercent}%`]),
    ...(tasks === undefined ? [] : [`TasksMax=${tasks}`]),
    ...(files === undefined ? [] : [`LimitNOFILE=${files}`]),
    ...(fileSizeBytes === undefined ? [] : [`LimitFSIZE=${fileSizeBytes}`]),
    "LimitCORE=0",
  ];
}

/** No part of it implies NoNewPrivileges (systemd.exec(5) names those that do), with which sudo refuses to work. */
function sudoEnabled(agent: ServedAgent, home: string): string[] {
  return [
    "# Profile: sudo. Hardening would imply NoNewPrivileges=, and sudo would refuse. What sudo starts sees these restrictions too.",
    "ProtectSystem=full",
    ...ownPlaces(agent, home),
    "PrivateTmp=yes",
  ];
}

/**
 * - Nothing but its home, its spools and its working directory is writable, and no other home is there at all.
 * - No MemoryDenyWriteExecute: V8 compiles at run time.
 * - RestrictSUIDSGID forbids to set the setgid bit; the bus gets it by inheritance.
 */
function hardened(agent: ServedAgent, home: string): string[] {
  const { namespaces } = agent.service;
  return [
    `# Profile: hardened${namespaces ? ", with namespaces" : ""}.`,
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "ProtectSystem=strict",
    `ReadWritePaths=${agent.groups.map((group) => spoolDirOf(group)).join(" ")}`,
    ...ownPlaces(agent, home),
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "DevicePolicy=closed",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelModules=yes",
    "ProtectProc=invisible",
    // A sandbox within must be able to mount its own /proc, which the kernel refuses where parts of this one are covered.
    ...(namespaces ? [] : ["ProtectKernelLogs=yes", "ProtectKernelTunables=yes", "RestrictNamespaces=yes"]),
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "KeyringMode=private",
    "RemoveIPC=yes",
    "SystemCallArchitectures=native",
    `SystemCallFilter=@system-service${namespaces ? " @mount" : ""}`,
    "SystemCallErrorNumber=EPERM",
  ];
}

/** Other homes are not there at all; what lies outside its home and is its working directory comes back. */
function ownPlaces({ service }: ServedAgent, home: string): string[] {
  const dir = service.workingDirectory;
  const isOutside = dir !== undefined && dir !== home && !dir.startsWith(`${home}/`);
  return ["ProtectHome=tmpfs", `BindPaths=${[home, ...(isOutside ? [dir] : [])].map(unitText).join(" ")}`];
}
