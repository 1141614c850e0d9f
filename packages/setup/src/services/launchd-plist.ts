import { build } from "plist";
import type { Account } from "../machine.js";
import type { LimitsSetup } from "../setup.js";
import { withEnvironment } from "./environment-loader.js";
import type { ServedAgent } from "./systemd-unit.js";

/** Between SIGTERM and SIGKILL. */
const EXIT_TIMEOUT_S = 30;

/**
 * `launchctl bootout` ends before the daemon has: until that, and some seconds longer, launchd still lists it, and takes no other by its
 * label.
 */
export const LAUNCHD_DRAIN_MS = (EXIT_TIMEOUT_S + 15) * 1_000;

export function launchdLabel(agent: string): string {
  return `agentbus.${agent}`;
}

export function plistPath(agent: string): string {
  return `/Library/LaunchDaemons/${launchdLabel(agent)}.plist`;
}

/** In a directory of root's, so that the agent can put no link in the place of its log; the log itself is the agent's. */
export function logPath(agent: string): string {
  return `/Library/Logs/agentbus-${agent}.log`;
}

/** The daemon that runs an agent (launchd.plist(5)): a daemon and not an "agent", which would wait for somebody to log in at the screen. */
export function launchdPlist(agent: ServedAgent, { name, home }: Pick<Account, "name" | "home">): string {
  const { service, umask, limits, environmentFile } = agent;
  const resources = resourceLimits(limits);
  return `${build({
    Label: launchdLabel(name),
    UserName: name,
    GroupName: name,
    InitGroups: true,
    // A string is octal; a number would be decimal.
    Umask: umask.toString(8).padStart(3, "0"),
    WorkingDirectory: service.workingDirectory ?? home,
    ProgramArguments: withEnvironment(`${home}/${environmentFile}`, service.command),
    // launchd sets no HOME for daemons.
    EnvironmentVariables: {
      HOME: home,
      USER: name,
      LOGNAME: name,
      PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    },
    RunAtLoad: true,
    KeepAlive: { always: true, "on-failure": { SuccessfulExit: false }, no: false }[service.restart],
    ThrottleInterval: 10,
    ExitTimeOut: EXIT_TIMEOUT_S,
    StandardOutPath: logPath(name),
    StandardErrorPath: logPath(name),
    SoftResourceLimits: resources,
    HardResourceLimits: resources,
  })}\n`;
}

/** What macOS can limit: each process, and by uid how many of them. There is no limit for memory or CPU that it enforces. */
function resourceLimits({ tasks, files, fileSizeBytes }: LimitsSetup): Record<string, number> {
  return {
    Core: 0,
    ...(tasks === undefined ? {} : { NumberOfProcesses: tasks }),
    ...(files === undefined ? {} : { NumberOfFiles: files }),
    ...(fileSizeBytes === undefined ? {} : { FileSize: fileSizeBytes }),
  };
}
