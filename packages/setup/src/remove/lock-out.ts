import type { Account, Machine } from "../machine.js";
import type { Change } from "../plan/change.js";
import { processesOf } from "../system/kill-all.js";

const CRONTABS = ["/var/spool/cron/crontabs", "/var/spool/cron", "/var/at/tabs", "/etc/crontabs"];
const AT_JOBS = ["/var/spool/cron/atjobs", "/var/spool/at", "/var/at/jobs"];

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
  const linger = `/var/lib/systemd/linger/${name}`;
  if (machine.flavour.hasSystemd && machine.stat(linger) !== undefined) {
    // Where logind does not run, nothing lingers but the file.
    const script = 'loginctl disable-linger "$1" || rm -f "$2"';
    changes.push({
      id: `${name}/lingering`,
      title: `end what systemd keeps running for ${name}`,
      action: { kind: "run", argv: ["sh", "-c", script, "sh", name, linger] },
      hasTakenEffect: (on) => Promise.resolve(on.stat(linger) === undefined),
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
  return [...changes, ...jobsRemoval(machine, { name, uid, id: "jobs", when: "" })];
}

/**
 * Its processes; and once more its jobs, of which it could make new ones until then. That cron starts one in between is ruled out
 * where it asks whether the account has expired; elsewhere the next removal finds what is left.
 */
export function killing(machine: Machine, account: Account): Change[] {
  const { name, uid } = account;
  return [killingProcesses(account), ...jobsRemoval(machine, { name, uid, id: "later-jobs", when: "once more " })];
}

/** Of an account that stays: whatever it starts afterwards has only the groups that it has by then. Its jobs are its own. */
export function killingProcesses({ name, uid, gid }: Account): Change {
  return {
    id: processesId(name),
    title: `kill all processes of ${name}, until none is left`,
    action: { kind: "kill", name, uid, gid },
    hasTakenEffect: async (on) => (await processesOf(on, uid)).length === 0,
  };
}

/** The step after which nobody meddles with what is taken away. */
export function processesId(name: string): string {
  return `${name}/processes`;
}

/** Files that cron and at would start something from: named after the account, or owned by it. */
function jobsRemoval(
  machine: Machine,
  { name, uid, id, when }: { name: string; uid: number; id: string; when: string },
): Change[] {
  const isThere = (dir: string) => machine.stat(dir)?.isDirectory() === true;
  const places = [
    ...CRONTABS.filter(isThere).map((dir) => ["find", dir, "-maxdepth", "1", "-type", "f", "-name", name]),
    ...AT_JOBS.filter(isThere).map((dir) => ["find", dir, "-maxdepth", "1", "-type", "f", "-user", String(uid)]),
  ];
  return places.map((find) => ({
    id: `${name}/${id}:${find[1] ?? ""}`,
    title: `look ${when}for jobs of ${name} in ${find[1] ?? ""}, and remove them`,
    action: { kind: "run", argv: [...find, "-delete"] },
    ifStill: true,
    hasTakenEffect: async (on) => on.access === "root" && (await on.run(find)).stdout === "",
  }));
}
