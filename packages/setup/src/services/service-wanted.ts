import type { Machine } from "../machine.js";
import { NOTHING } from "../plan/part.js";
import type { Wanted, WantedCommand } from "../plan/change.js";
import type { PlannedAgent } from "../plan/planning.js";
import { LAUNCHD_DRAIN_MS, launchdLabel, launchdPlist, logPath, plistPath } from "./launchd-plist.js";
import { systemdUnit, unitName, type ServedAgent } from "./systemd-unit.js";

/** Whoever starts an agent's command finds it missing at first: it is installed as the agent, which has to be there before. */
const MAY_NOT_START =
  "it fails while the command is not installed; the system tries again by itself, and so does agentbus setup apply";

/** What runs an agent all the time: a unit of systemd, or a daemon of launchd. Nothing where neither is, or where it only logs in. */
export async function serviceWanted({ agent, account }: PlannedAgent, machine: Machine): Promise<Wanted> {
  const { service } = agent;
  const { flavour } = machine;
  if (service === undefined) return NOTHING;
  const served: ServedAgent = { ...agent, service };
  if (flavour.platform === "darwin") return launchd(served, account, await isLoaded(machine, agent.name));
  if (flavour.hasSystemd) return systemd(served, account);
  return {
    ...NOTHING,
    notes: [
      `${agent.name} is a service in agentbus.json, and this machine has no systemd: start it yourself, with agentbus setup run ${agent.name} -- ${service.command.join(" ")}`,
    ],
  };
}

function systemd(agent: ServedAgent, account: PlannedAgent["account"]): Wanted {
  const { name } = agent;
  const unit = unitName(name);
  const id = `${name}/service`;
  return {
    files: [
      {
        id,
        title: `let systemd run ${name} (${agent.service.profile})`,
        path: `/etc/systemd/system/${unit}`,
        text: systemdUnit(agent, account),
        mode: 0o644,
      },
    ],
    commands: [
      {
        id: `${id}-loaded`,
        title: "let systemd read its files again",
        argv: ["systemctl", "daemon-reload"],
        afterFiles: [id],
        isDone: async (machine) =>
          isSaid(
            machine,
            ["systemctl", "show", "--property=LoadState,NeedDaemonReload", unit],
            /LoadState=loaded[^]*NeedDaemonReload=no|NeedDaemonReload=no[^]*LoadState=loaded/,
          ),
      },
      {
        id: `${id}-enabled`,
        title: `start ${name} with the machine`,
        argv: ["systemctl", "enable", unit],
        isDone: (machine) => isSaid(machine, ["systemctl", "is-enabled", unit], /^enabled$/m),
        undo: {
          title: `stop ${name}, and start it no more`,
          argv: ["systemctl", "disable", "--now", unit],
          isUndone: async (machine) =>
            !(await isSaid(machine, ["systemctl", "is-active", unit], /^(?:active|activating|reloading)$/m)),
        },
      },
      {
        id: `${id}-started`,
        title: `start ${name}`,
        argv: ["systemctl", "restart", unit],
        afterFiles: [id],
        isOptional: true,
        remarks: [MAY_NOT_START],
        isDone: (machine) => hasStarted(machine, unit, agent.service.restart),
      },
    ],
  };
}

/** @param wasLoaded an earlier plist of it has to be forgotten before launchd reads another */
function launchd(agent: ServedAgent, account: PlannedAgent["account"], wasLoaded: boolean): Wanted {
  const { name } = agent;
  const [id, label, path] = [`${name}/service`, launchdLabel(name), plistPath(name)];
  const target = `system/${label}`;
  const log: WantedCommand = {
    id: `${name}/log`,
    title: `make ${logPath(name)}, which ${name} writes and root keeps in its place`,
    argv: ["install", "-o", name, "-g", name, "-m", "0640", "/dev/null", logPath(name)],
    isDone: (machine) => Promise.resolve(machine.stat(logPath(name))?.uid === account.uid),
    undo: {
      title: `remove ${logPath(name)}`,
      argv: ["rm", "-f", logPath(name)],
      isUndone: (machine) => Promise.resolve(machine.stat(logPath(name)) === undefined),
    },
  };
  const forgetting: WantedCommand = {
    id: `${id}-unloaded`,
    title: `let launchd forget the earlier daemon of ${name}`,
    argv: ["launchctl", "bootout", target],
    afterFiles: [id],
    isDone: () => Promise.resolve(true),
    hasTakenEffect: async (machine) => !(await isLoaded(machine, name)),
    settlesWithinMs: LAUNCHD_DRAIN_MS,
  };
  return {
    files: [
      {
        id,
        title: `let launchd run ${name}`,
        path,
        text: launchdPlist(agent, account),
        mode: 0o644,
        check: ["plutil", "-lint", "{}"],
      },
    ],
    commands: [
      log,
      {
        id: `${id}-enabled`,
        title: `undo an earlier launchctl disable of ${name}, which would outlast everything else`,
        argv: ["launchctl", "enable", target],
        isDone: async (machine) =>
          !(await isSaid(
            machine,
            ["launchctl", "print-disabled", "system"],
            new RegExp(`"${label}" => (?:true|disabled)`),
          )),
      },
      ...(wasLoaded ? [forgetting] : []),
      {
        id: `${id}-started`,
        title: `start ${name}`,
        argv: ["launchctl", "bootstrap", "system", path],
        afterFiles: [id],
        // 5 or 37: launchd has not let go of an earlier daemon yet, for some seconds on macOS 26.
        retries: 9,
        isDone: (machine) => isLoaded(machine, name),
        undo: {
          title: `stop ${name}`,
          argv: ["launchctl", "bootout", target],
          isUndone: async (machine) => !(await isLoaded(machine, name)),
        },
      },
    ],
  };
}

function isLoaded(machine: Machine, agent: string): Promise<boolean> {
  return isSaid(machine, ["launchctl", "print", `system/${launchdLabel(agent)}`], /^/);
}

/** It runs, or is about to again; or it has run to its end, where that is not for systemd to change. */
async function hasStarted(
  machine: Machine,
  unit: string,
  restart: ServedAgent["service"]["restart"],
): Promise<boolean> {
  const properties = "ActiveState,Result,ExecMainStartTimestampMonotonic";
  const { stdout } = await machine.run(["systemctl", "show", `--property=${properties}`, unit]);
  if (/^ActiveState=(?:active|activating|reloading)$/m.test(stdout)) return true;
  const hasEnded = /^Result=success$/m.test(stdout) && /^ExecMainStartTimestampMonotonic=[1-9]/m.test(stdout);
  return restart !== "always" && hasEnded;
}

async function isSaid(machine: Machine, argv: readonly string[], expected: RegExp): Promise<boolean> {
  const { status, stdout } = await machine.run(argv);
  // `is-active` and its like end with other codes than 0 for what they say.
  return (status === 0 || argv[0] === "systemctl") && expected.test(stdout);
}
