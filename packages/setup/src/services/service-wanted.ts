import type { Machine } from "../machine.js";
import { NOTHING } from "../plan/part.js";
import type { Wanted, WantedCommand } from "../plan/change.js";
import type { PlannedAgent } from "../plan/planning.js";
import { launchdLabel, launchdPlist, logPath, LOGS_DIR, plistPath } from "./launchd-plist.js";
import { systemdUnit, unitName, type ServedAgent } from "./systemd-unit.js";

/** Whoever starts an agent's command finds it missing at first: it is installed as the agent, which has to be there before. */
const MAY_NOT_START =
  "it fails while the command is not installed; the system tries again by itself, and so does agentbus setup apply";

/** What runs an agent all the time: a unit of systemd, or a daemon of launchd. Nothing where neither is, or where it only logs in. */
export function serviceWanted({ agent, account }: PlannedAgent, { flavour }: Pick<Machine, "flavour">): Wanted {
  const { service } = agent;
  if (service === undefined) return NOTHING;
  const served: ServedAgent = { ...agent, service };
  if (flavour.platform === "darwin") return launchd(served, account);
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
        isDone: (machine) => isSaid(machine, ["systemctl", "is-active", unit], /^(?:active|activating|reloading)$/m),
      },
    ],
  };
}

function launchd(agent: ServedAgent, account: PlannedAgent["account"]): Wanted {
  const { name } = agent;
  const [id, label, path] = [`${name}/service`, launchdLabel(name), plistPath(name)];
  const target = `system/${label}`;
  const isLoaded = (machine: Machine) => isSaid(machine, ["launchctl", "print", target], /^/);
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
      {
        id: "logs/directory",
        title: `make ${LOGS_DIR}, where nobody but root can replace a log`,
        argv: ["install", "-d", "-o", "root", "-g", "wheel", "-m", "0755", LOGS_DIR],
        isDone: (machine) => Promise.resolve(machine.stat(LOGS_DIR)?.isDirectory() === true),
      },
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
      {
        id: `${id}-unloaded`,
        title: `let launchd forget the earlier daemon of ${name}`,
        argv: ["launchctl", "bootout", target],
        afterFiles: [id],
        isOptional: true,
        remarks: ["it fails where there was none before"],
        isDone: () => Promise.resolve(true),
      },
      {
        id: `${id}-started`,
        title: `start ${name}`,
        argv: ["launchctl", "bootstrap", "system", path],
        afterFiles: [id],
        // 5 or 37: the earlier daemon is still on its way out.
        retries: 5,
        isDone: isLoaded,
        remarks: [MAY_NOT_START],
        undo: {
          title: `stop ${name}`,
          argv: ["launchctl", "bootout", target],
          isUndone: async (machine) => !(await isLoaded(machine)),
        },
      },
    ],
  };
}

async function isSaid(machine: Machine, argv: readonly string[], expected: RegExp): Promise<boolean> {
  const { status, stdout } = await machine.run(argv);
  // `is-active` and its like end with other codes than 0 for what they say.
  return (status === 0 || argv[0] === "systemctl") && expected.test(stdout);
}
