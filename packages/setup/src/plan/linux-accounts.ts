import { octal } from "@agentbus/core";
import type { Machine } from "../machine.js";
import type { AccountTools, Membership, WantedAccount, WantedGroup, WantedPrimaryGroup } from "./account-tools.js";
import type { Change } from "./change.js";

/** Accounts by shadow-utils, as on Debian, Ubuntu, Fedora, Arch; and by busybox, as on Alpine. */
export const linuxAccounts: AccountTools = {
  makeGroup,
  makeAccount,
  setShell,
  setPrimaryGroup,
  addMember,
  removeMember,
  removeAccount,
  bringGroupBack,
  removeGroup,
};

const COMMENT = "agentbus agent";

async function makeGroup(machine: Machine, { name, gid, agent }: WantedGroup): Promise<Change[]> {
  const { hasTakenEffect, ...making } = groupMaking(machine, { name, gid });
  if (await hasTakenEffect(machine)) return [];
  const origin = { key: `group:${name}`, how: "made", id: gid, ...(agent === undefined ? {} : { agent }) } as const;
  return [
    { ...making, id: `${agent ?? name}/group`, title: `create group ${name}, gid ${gid}`, origin, hasTakenEffect },
  ];
}

/** userdel does so where USERGROUPS_ENAB says so, which is login.defs' default, and busybox always. */
function bringGroupBack(machine: Machine, group: { name: string; gid: number }): Change[] {
  return [
    {
      ...groupMaking(machine, group),
      id: `${group.name}/group-back`,
      title: `make group ${group.name} again, if it has gone with the account`,
      ifStill: true,
    },
  ];
}

function groupMaking(
  machine: Machine,
  { name, gid }: { name: string; gid: number },
): Pick<Change, "action" | "hasTakenEffect"> {
  return {
    action: {
      kind: "run",
      argv: isBusybox(machine) ? ["addgroup", "-g", String(gid), name] : ["groupadd", "--gid", String(gid), name],
    },
    hasTakenEffect: async (on) => (await on.group(name))?.gid === gid,
  };
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
  return [
    ...(await setPrimaryGroup(machine, { name, group: name, gid })),
    ...(await setShell(machine, { name, shell })),
  ];
}

async function setPrimaryGroup(machine: Machine, { name, group, gid }: WantedPrimaryGroup): Promise<Change[]> {
  const now = (await machine.user(name))?.gid;
  if (now === gid || now === undefined || isBusybox(machine)) return [];
  return [
    {
      id: `${name}/primary-group`,
      title: `give ${name} the primary group ${group}, not gid ${now}`,
      action: { kind: "run", argv: ["usermod", "--gid", group, name] },
      remarks: [`what is in its home and of gid ${now} gets the new group along`],
      hasTakenEffect: async (on) => (await on.user(name))?.gid === gid,
    },
  ];
}

async function setShell(machine: Machine, { name, shell }: { name: string; shell: string }): Promise<Change[]> {
  const now = (await machine.user(name))?.shell;
  if (now === shell || now === undefined || isBusybox(machine)) return [];
  return [
    {
      id: `${name}/shell`,
      title: `give ${name} the shell ${shell}, not ${now}`,
      action: { kind: "run", argv: ["usermod", "--shell", shell, name] },
      hasTakenEffect: async (on) => (await on.user(name))?.shell === shell,
    },
  ];
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

async function addMember(machine: Machine, membership: Membership): Promise<Change[]> {
  const { user, group, isHuman, wasMember = false } = membership;
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
      ...(wasMember
        ? {}
        : { origin: { key: `member:${group}:${user}`, how: "made", ...(isHuman ? {} : { agent: user }) } }),
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
