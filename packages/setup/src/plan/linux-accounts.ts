import { octal } from "@agentbus/core";
import type { Machine } from "../machine.js";
import type { AccountTools, Membership, WantedAccount, WantedGroup } from "./account-tools.js";
import type { Change } from "./change.js";

/** Accounts by shadow-utils, as on Debian, Ubuntu, Fedora, Arch; and by busybox, as on Alpine. */
export const linuxAccounts: AccountTools = {
  makeGroup,
  makeAccount,
  addMember,
  removeMember,
  removeAccount,
  removeGroup,
};

const COMMENT = "agentbus agent";

async function makeGroup(machine: Machine, { name, gid, agent }: WantedGroup): Promise<Change[]> {
  const isThere = async (on: Machine) => (await on.group(name))?.gid === gid;
  if (await isThere(machine)) return [];
  return [
    {
      id: agent === undefined ? `${name}/group` : `${agent}/group`,
      title: `create group ${name}, gid ${gid}`,
      action: {
        kind: "run",
        argv: isBusybox(machine) ? ["addgroup", "-g", String(gid), name] : ["groupadd", "--gid", String(gid), name],
      },
      origin: { key: `group:${name}`, how: "made", id: gid, ...(agent === undefined ? {} : { agent }) },
      hasTakenEffect: isThere,
    },
  ];
}

async function makeAccount(machine: Machine, wanted: WantedAccount): Promise<Change[]> {
  const { name, uid, gid = uid, shell } = wanted;
  const account = await machine.user(name);
  const origin = { key: `account:${name}`, how: "made", id: uid, agent: name } as const;
  if (account === undefined) {
    const argv = isBusybox(machine) ? busyboxAdduser(wanted) : useradd(wanted);
    return [
      {
        id: `${name}/account`,
        title: `create account ${name}, uid ${uid}, without a password`,
        action: { kind: "run", argv },
        origin,
        hasTakenEffect: async (on) => {
          const made = await on.user(name);
          return made?.uid === uid && made.gid === gid;
        },
      },
    ];
  }
  const changes: Change[] = [];
  if (account.gid !== gid && !isBusybox(machine)) {
    changes.push({
      id: `${name}/primary-group`,
      title: `give ${name} its own group ${name} as primary group, not gid ${account.gid}`,
      action: { kind: "run", argv: ["usermod", "--gid", name, name] },
      hasTakenEffect: async (on) => (await on.user(name))?.gid === gid,
    });
  }
  if (account.shell !== shell && !isBusybox(machine)) {
    changes.push({
      id: `${name}/shell`,
      title: `give ${name} the shell ${shell}, not ${account.shell}`,
      action: { kind: "run", argv: ["usermod", "--shell", shell, name] },
      origin: { key: `shell:${name}`, how: "changed", before: account.shell, agent: name },
      hasTakenEffect: async (on) => (await on.user(name))?.shell === shell,
    });
  }
  return changes;
}

/** No subordinate ids: what is made with them would be of neither this uid nor anybody's. */
function useradd({ name, uid, home, homeMode, shell }: WantedAccount): string[] {
  const settings = [`HOME_MODE=${octal(homeMode)}`, "SUB_UID_COUNT=0", "SUB_GID_COUNT=0"];
  return [
    ...["useradd", "--uid", String(uid), "--gid", name, "--create-home", "--home-dir", home],
    ...["--shell", shell, "--comment", COMMENT, ...settings.flatMap((setting) => ["--key", setting]), name],
  ];
}

/** busybox makes homes with mode 2755: the step after this gives it its own. */
function busyboxAdduser({ name, uid, home, shell }: WantedAccount): string[] {
  return ["adduser", "-D", "-u", String(uid), "-G", name, "-h", home, "-s", shell, "-g", COMMENT, name];
}

async function addMember(machine: Machine, { user, group, isHuman }: Membership): Promise<Change[]> {
  const isMember = async (on: Machine) => ((await on.group(group))?.members ?? []).includes(user);
  if (await isMember(machine)) return [];
  return [
    {
      id: `${user}/member-of-${group}`,
      title: `add ${user} to group ${group}`,
      action: {
        kind: "run",
        argv: isBusybox(machine) ? ["addgroup", user, group] : ["gpasswd", "--add", user, group],
      },
      ...(isHuman ? { remarks: [`${user} has to log in again before it counts`] } : {}),
      origin: { key: `member:${group}:${user}`, how: "made", ...(isHuman ? {} : { agent: user }) },
      hasTakenEffect: isMember,
    },
  ];
}

async function removeMember(machine: Machine, { user, group, isHuman }: Membership): Promise<Change[]> {
  const isNone = async (on: Machine) => !((await on.group(group))?.members ?? []).includes(user);
  if (await isNone(machine)) return [];
  return [
    {
      id: `${user}/not-member-of-${group}`,
      title: `take ${user} out of group ${group}`,
      action: {
        kind: "run",
        argv: isBusybox(machine) ? ["delgroup", user, group] : ["gpasswd", "--delete", user, group],
      },
      ...(isHuman ? { remarks: [`programs of ${user} that run keep it until they end`] } : {}),
      forgets: [`member:${group}:${user}`],
      hasTakenEffect: isNone,
    },
  ];
}

async function removeAccount(machine: Machine, { name, uid }: { name: string; uid: number }): Promise<Change[]> {
  const isGone = async (on: Machine) => (await on.user(name))?.uid !== uid;
  if (await isGone(machine)) return [];
  return [
    {
      id: `${name}/account-removed`,
      title: `delete account ${name}, uid ${uid}`,
      action: { kind: "run", argv: isBusybox(machine) ? ["deluser", name] : ["userdel", name] },
      retires: { uid, name },
      hasTakenEffect: isGone,
    },
  ];
}

async function removeGroup(machine: Machine, { name, gid }: { name: string; gid: number }): Promise<Change[]> {
  const isGone = async (on: Machine) => (await on.group(name))?.gid !== gid;
  if (await isGone(machine)) return [];
  return [
    {
      id: `${name}/group-removed`,
      title: `delete group ${name}, gid ${gid}`,
      action: { kind: "run", argv: isBusybox(machine) ? ["delgroup", name] : ["groupdel", name] },
      forgets: [`group:${name}`],
      hasTakenEffect: isGone,
    },
  ];
}

function isBusybox({ flavour }: Machine): boolean {
  return flavour.accountTools === "busybox";
}
