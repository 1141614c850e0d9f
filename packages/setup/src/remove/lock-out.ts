import type { Account, Machine } from "../machine.js";
import type { Change } from "../plan/change.js";
import { processesOf } from "../system/kill-all.js";

const CRONTABS = ["/var/spool/cron/crontabs", "/var/spool/cron", "/var/at/tabs", "/etc/crontabs"];

/** Nothing starts a process of it any more: no login, no cron, no session of systemd that lingers. */
export function lockingOut(machine: Machine, { name, uid }: Account): Change[] {
  const changes: Change[] = [];
  if (machine.flavour.accountTools === "shadow") {
    changes.push({
      id: `${name}/locked-out`,
      title: `let nobody log in as ${name} any more`,
      action: { kind: "run", argv: ["usermod", "--expiredate", "1", name] },
      hasTakenEffect: async (on) => {
        const line = on
          .read("/etc/shadow")
          ?.split("\n")
          .find((each) => each.startsWith(`${name}:`));
        return Promise.resolve(line === undefined || line.split(":")[7] === "1");
      },
    });
  }
  if (machine.flavour.hasSystemd && machine.stat(`/var/lib/systemd/linger/${name}`) !== undefined) {
    changes.push({
      id: `${name}/lingering`,
      title: `end what systemd keeps running for ${name}`,
      action: { kind: "run", argv: ["loginctl", "disable-linger", name] },
      hasTakenEffect: (on) => Promise.resolve(on.stat(`/var/lib/systemd/linger/${name}`) === undefined),
    });
  }
  if (machine.flavour.platform === "darwin") {
    changes.push({
      id: `${name}/session`,
      title: `end what launchd runs for ${name}`,
      action: { kind: "run", argv: ["launchctl", "bootout", `user/${uid}`] },
      isOptional: true,
      hasTakenEffect: () => Promise.resolve(true),
    });
  }
  for (const path of CRONTABS.map((dir) => `${dir}/${name}`)) {
    if (machine.stat(path)?.isFile() !== true) continue;
    changes.push({
      id: `${name}/crontab`,
      title: `remove the crontab of ${name}`,
      action: { kind: "run", argv: ["rm", "-f", "--", path] },
      hasTakenEffect: (on) => Promise.resolve(on.stat(path) === undefined),
    });
  }
  return changes;
}

export function killing(machine: Machine, { name, uid, gid }: Account): Change[] {
  return [
    {
      id: `${name}/processes`,
      title: `kill all processes of ${name}, until none is left`,
      action: { kind: "kill", name, uid, gid },
      hasTakenEffect: async (on) => (await processesOf(on, uid)).length === 0,
    },
  ];
}
