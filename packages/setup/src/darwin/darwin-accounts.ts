import type { Machine } from "../machine.js";
import type {
  AccountTools,
  Membership,
  WantedAccount,
  WantedGroup,
  WantedPrimaryGroup,
} from "../plan/account-tools.js";
import type { Change } from "../plan/change.js";
import { attributeOf, isMember } from "./directory.js";

/**
 * Accounts of macOS, by its directory service. docs/setup-macos.md argues for each command. None of them is believed: what
 * counts is what the directory says afterwards, because sysadminctl exits with 0 when it fails, and dscl fails now and then
 * (-14988) where the same command works a moment later.
 */
export const darwinAccounts: AccountTools = {
  makeGroup,
  makeAccount,
  setShell,
  setPrimaryGroup,
  addMember,
  removeMember,
  removeAccount,
  // dscl deletes the record that it is told to, and no other.
  bringGroupBack: () => [],
  removeGroup,
};

const RETRIES = 5;
/** What is asked of more than one record comes from caches of the system, which learn of a change a little later. */
const CACHED_MS = 10_000;
/** Where macOS puts accounts that are not told otherwise; everybody's home is readable for it. */
const EVERYBODYS_GROUP = "staff";

async function makeGroup(machine: Machine, { name, gid, agent }: WantedGroup): Promise<Change[]> {
  const isThere = async (on: Machine) => (await attributeOf(on, `/Groups/${name}`, "PrimaryGroupID")) === String(gid);
  if (await isThere(machine)) return [];
  const purpose = agent === undefined ? `agentbus: spool of ${name}` : `agentbus: ${agent}`;
  return [
    {
      id: `${agent ?? name}/group`,
      title: `create group ${name}, gid ${gid}`,
      action: run(["dseditgroup", "-q", "-o", "create", "-i", String(gid), "-r", purpose, name]),
      origin: { key: `group:${name}`, how: "made", id: gid, ...(agent === undefined ? {} : { agent }) },
      hasTakenEffect: isThere,
    },
  ];
}

async function makeAccount(machine: Machine, wanted: WantedAccount): Promise<Change[]> {
  const { name, uid, gid = uid, home } = wanted;
  const record = `/Users/${name}`;
  const isRecord = async (on: Machine) => (await attributeOf(on, record, "RecordName")) !== undefined;
  const isComplete = async (on: Machine) => {
    const account = await on.user(name);
    return account?.uid === uid && account.gid === gid;
  };
  const changes: Change[] = [];
  if (!(await isRecord(machine))) {
    changes.push({
      id: `${name}/account`,
      title: `create account ${name}, uid ${uid}`,
      action: run(["dscl", ".", "-create", record]),
      origin: { key: `account:${name}`, how: "made", id: uid, agent: name },
      hasTakenEffect: isRecord,
    });
  }
  for (const attribute of attributesOf(wanted)) changes.push(...(await setAttribute(machine, record, name, attribute)));
  if (changes.length > 0 || !(await isComplete(machine))) {
    changes.push({
      id: `${name}/known`,
      title: `see that the system knows ${name} by uid ${uid} and gid ${gid}`,
      action: run(["dsmemberutil", "flushcache"]),
      hasTakenEffect: isComplete,
      settlesWithinMs: CACHED_MS,
    });
  }
  const hasHome = (on: Machine) => Promise.resolve(on.stat(home)?.isDirectory() === true);
  if (!(await hasHome(machine))) {
    changes.push({
      id: `${name}/home`,
      title: `make the home ${home}`,
      action: run(["createhomedir", "-c", "-u", name]),
      hasTakenEffect: hasHome,
    });
  }
  changes.push(...(await leaveStaff(machine, name)));
  return changes.some(({ id }) => id !== `${name}/known` && id !== `${name}/not-staff`)
    ? [await mayChangeAccounts(machine, name), ...changes]
    : changes;
}

interface Attribute {
  readonly name: string;
  readonly value: string;
  readonly title: string;
  readonly isOptional?: boolean;
}

/** The password comes first: until then the record has none, which is not the same as one that nobody can type. */
function attributesOf({ name, uid, gid = uid, home, shell }: WantedAccount): Attribute[] {
  return [
    { name: "Password", value: "*", title: "let nobody log in with a password, and get no secure token" },
    { name: "IsHidden", value: "1", title: "keep it off the login window", isOptional: true },
    { name: "RealName", value: `agentbus: ${name}`, title: "name it" },
    { name: "UserShell", value: shell, title: `shell ${shell}` },
    { name: "NFSHomeDirectory", value: home, title: `home ${home}` },
    { name: "PrimaryGroupID", value: String(gid), title: `its own primary group, gid ${gid}, and not staff` },
    { name: "UniqueID", value: String(uid), title: `uid ${uid}` },
  ];
}

async function setAttribute(machine: Machine, record: string, user: string, attribute: Attribute): Promise<Change[]> {
  const { name, value, title, isOptional } = attribute;
  const isSet = async (on: Machine) => (await attributeOf(on, record, name)) === value;
  if (await isSet(machine)) return [];
  return [
    {
      id: `${user}/${name}`,
      title: `${user}: ${title}`,
      action: run(["dscl", ".", "-create", record, name, value]),
      ...(isOptional === undefined
        ? {}
        : { isOptional, remarks: ["macOS kills dscl for it now and then; it only matters for looks"] }),
      hasTakenEffect: isSet,
    },
  ];
}

/** Of an account that is there. Its other attributes, the password among them, are its own. */
async function setShell(machine: Machine, { name, shell }: { name: string; shell: string }): Promise<Change[]> {
  return setAttribute(machine, `/Users/${name}`, name, { name: "UserShell", value: shell, title: `shell ${shell}` });
}

/** dscl leaves the files of the home to the group that they are of. */
async function setPrimaryGroup(machine: Machine, { name, group, gid }: WantedPrimaryGroup): Promise<Change[]> {
  const attribute = { name: "PrimaryGroupID", value: String(gid), title: `primary group ${group}, gid ${gid}` };
  const changes = await setAttribute(machine, `/Users/${name}`, name, attribute);
  if (changes.length === 0) return [];
  return [
    ...changes,
    {
      id: `${name}/known`,
      title: `see that the system knows ${name} by gid ${gid}`,
      action: run(["dsmemberutil", "flushcache"]),
      hasTakenEffect: async (on) => (await on.user(name))?.gid === gid,
    },
  ];
}

/** Writes what is there already: fails without side effect where macOS's privacy protection would stop the real thing halfway. */
async function mayChangeAccounts(machine: Machine, name: string): Promise<Change> {
  const home = (await attributeOf(machine, "/Users/nobody", "NFSHomeDirectory")) ?? "/var/empty";
  return {
    id: `${name}/may-change-accounts`,
    title: "see whether macOS lets this terminal change accounts",
    action: { kind: "run", argv: ["dscl", ".", "-change", "/Users/nobody", "NFSHomeDirectory", home, home] },
    believesExitCode: true,
    remarks: [
      "if it fails: System Settings > Privacy & Security > Full Disk Access, for your terminal;",
      "over ssh: General > Sharing > Remote Login (i) > Allow full disk access for remote users",
    ],
    hasTakenEffect: () => Promise.resolve(true),
  };
}

async function leaveStaff(machine: Machine, name: string): Promise<Change[]> {
  const isOut = async (on: Machine) => (await isMember(on, name, EVERYBODYS_GROUP)) === false;
  if (await isOut(machine)) return [];
  return [
    {
      id: `${name}/not-staff`,
      title: `take ${name} out of ${EVERYBODYS_GROUP}, for which the homes of people are readable`,
      action: run(["dseditgroup", "-o", "edit", "-d", name, "-t", "user", EVERYBODYS_GROUP]),
      isOptional: true,
      hasTakenEffect: async (on) => isOut(await forgetful(on)),
      settlesWithinMs: CACHED_MS,
    },
  ];
}

async function addMember(machine: Machine, membership: Membership): Promise<Change[]> {
  const { user, group, isHuman, wasMember = false } = membership;
  const isIn = async (on: Machine) => (await isMember(on, user, group)) === true;
  if (await isIn(machine)) return [];
  return [
    {
      id: `${user}/member-of-${group}`,
      title: `add ${user} to group ${group}`,
      action: run(["dseditgroup", "-o", "edit", "-a", user, "-t", "user", group]),
      ...(isHuman ? { remarks: [`${user} has to log in again before it counts`] } : {}),
      ...(wasMember
        ? {}
        : { origin: { key: `member:${group}:${user}`, how: "made", ...(isHuman ? {} : { agent: user }) } }),
      hasTakenEffect: async (on) => isIn(await forgetful(on)),
      settlesWithinMs: CACHED_MS,
    },
  ];
}

/** Who was no member a moment ago is remembered as none. */
async function forgetful(machine: Machine): Promise<Machine> {
  if (machine.access === "root") await machine.run(["dsmemberutil", "flushcache"]);
  return machine;
}

async function removeMember(machine: Machine, { user, group, isHuman }: Membership): Promise<Change[]> {
  const isListed = async (on: Machine) => ((await on.group(group))?.members ?? []).includes(user);
  if (!(await isListed(machine))) return [];
  return [
    {
      id: `${user}/not-member-of-${group}`,
      title: `take ${user} out of group ${group}`,
      action: run(["dseditgroup", "-o", "edit", "-d", user, "-t", "user", group]),
      ...(isHuman ? { remarks: [`programs of ${user} that run keep it until they end`] } : {}),
      forgets: [`member:${group}:${user}`],
      hasTakenEffect: async (on) => !(await isListed(on)),
      settlesWithinMs: CACHED_MS,
    },
  ];
}

/**
 * Out of its groups first, which list it by name and by GUID and would keep both. dscl and not sysadminctl, whose -deleteUser takes the
 * home along and whose -keepHome is broken: what becomes of the home has been decided by then.
 */
async function removeAccount(machine: Machine, { name, uid }: { name: string; uid: number }): Promise<Change[]> {
  const record = `/Users/${name}`;
  const isGone = async (on: Machine) => (await attributeOf(on, record, "UniqueID")) !== String(uid);
  if (await isGone(machine)) return [];
  const groups = (await machine.groups()).filter(({ members }) => members.includes(name));
  const leaving = await Promise.all(
    groups.map((group) => removeMember(machine, { user: name, group: group.name, isHuman: false })),
  );
  return [
    await mayChangeAccounts(machine, name),
    ...leaving.flat(),
    {
      id: `${name}/account-removed`,
      title: `delete account ${name}, uid ${uid}`,
      action: run(["dscl", ".", "-delete", record]),
      retires: { uid, name },
      hasTakenEffect: isGone,
    },
  ];
}

async function removeGroup(machine: Machine, { name, gid }: { name: string; gid: number }): Promise<Change[]> {
  const isGone = async (on: Machine) => (await attributeOf(on, `/Groups/${name}`, "PrimaryGroupID")) !== String(gid);
  if (await isGone(machine)) return [];
  return [
    {
      id: `${name}/group-removed`,
      title: `delete group ${name}, gid ${gid}`,
      action: run(["dseditgroup", "-q", "-o", "delete", name]),
      forgets: [`group:${name}`],
      hasTakenEffect: isGone,
    },
  ];
}

function run(argv: readonly string[]): { kind: "run"; argv: readonly string[]; retries: number } {
  return { kind: "run", argv, retries: RETRIES };
}
