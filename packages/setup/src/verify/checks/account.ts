import { shellQuote } from "@agentbus/core";
import { Ledger } from "../../ledger.js";
import type { Account, Group, Machine } from "../../machine.js";
import type { AgentCheck, MachineCheck } from "../check.js";
import type { Trouble } from "../finding.js";
import { applyCommand, leaveGroup, takeOtherUid } from "../mend.js";
import { passwordOf } from "../password.js";
import { ROOT_IN_DISGUISE } from "../root-in-disguise.js";

const SUBUID = "/etc/subuid";

/** Whether the file's accounts are there and are what they should be; what could not be probed is told here. */
export const accountsProbed: MachineCheck = {
  id: "accounts-separate",
  sentence: "each account of the file exists, with a uid that no other account has",
  async ofMachine({ setup, machine, unprobed }) {
    const names = [...setup.agents, ...setup.humans].map(({ name }) => name);
    const accounts = await Promise.all(names.map((name) => machine.user(name)));
    const listed = await machine.users();
    // An account of a network is in no list of this machine.
    const others = accounts.filter(
      (account) => account !== undefined && !listed.some((user) => user.name === account.name),
    );
    const users = [...listed, ...others.filter((account) => account !== undefined)];
    const troubles: Trouble[] = [];
    for (const [index, name] of names.entries()) {
      const account = accounts[index];
      const twins = users.filter((user) => user.uid === account?.uid && user.name !== name);
      const evidence = unprobed.get(name);
      if (account !== undefined && (account.uid === 0 || twins.length > 0)) {
        troubles.push(sharedUid(account, twins, machine, listed));
      } else if (evidence !== undefined) {
        const isAgent = setup.agents.some((agent) => agent.name === name);
        const fix =
          account === undefined && !isAgent ? `useradd --create-home ${shellQuote(name)}` : applyCommand(setup);
        troubles.push({ severity: "error", agent: name, message: `nothing could be tried as ${name}`, evidence, fix });
      }
    }
    return [...troubles, ...borrowedUids(setup.agents, machine, users)];
  },
};

export const ofAccount: readonly AgentCheck[] = [
  {
    id: "password-locked",
    sentence: "it cannot be logged in to with a password, nor without one",
    async ofAgent({ name }, { machine }) {
      const password = await passwordOf(name, machine);
      if (password === "locked" || password === "unknown") return [];
      const lock =
        machine.flavour.platform === "darwin"
          ? `dscl . -create /Users/${name} Password '*'`
          : `passwd -l ${shellQuote(name)}`;
      return [
        password === "none"
          ? {
              severity: "error",
              agent: name,
              message: `anybody can become ${name}, without a password`,
              evidence: `its password in /etc/shadow is empty`,
              fix: lock,
            }
          : {
              severity: "warning",
              agent: name,
              message: `${name} has a password, so whoever knows it can become ${name}, and sudo rules that ask for one apply`,
              evidence: `its password in /etc/shadow is not locked`,
              fix: lock,
            },
      ];
    },
  },
  {
    id: "groups-as-written",
    sentence: "it is in its own group, in those of the file, and in no other",
    async ofAgent({ name, wish, account, gids }, { setup, machine }) {
      const groups = await machine.groups();
      const nameOf = (gid: number) => groups.find((group) => group.gid === gid)?.name ?? `gid ${gid}`;
      const names = gids.map(nameOf);
      const troubles: Trouble[] = names
        .filter((group) => group !== name && !wish.groups.includes(group))
        .map((group) => {
          const why = ROOT_IN_DISGUISE.get(group);
          const isMain = nameOf(account.gid) === group;
          return {
            severity: "error",
            agent: name,
            message: `${name} is in group ${group}, of which the file says nothing`,
            evidence: `the kernel gives a process of ${name} the groups ${names.join(", ")}${why === undefined ? "" : `; ${group} ${why}`}`,
            fix: isMain
              ? `usermod -g ${shellQuote(name)} ${shellQuote(name)}`
              : leaveGroup(machine.flavour, name, group),
          };
        });
      const missing = wish.groups.filter((group) => !names.includes(group));
      for (const group of missing) {
        troubles.push({
          severity: "error",
          agent: name,
          message: `${name} is not in group ${group}, and cannot use its bus`,
          evidence: `the kernel gives a process of ${name} the groups ${names.join(", ")}`,
          fix: applyCommand(setup),
        });
      }
      return troubles;
    },
  },
  {
    id: "own-group-alone",
    sentence: "nobody else is in its own group",
    async ofAgent({ name, account }, { machine }) {
      const [groups, users] = await Promise.all([machine.groups(), machine.users()]);
      const own = groups.find((group) => group.gid === account.gid);
      if (own?.name !== name) return []; // groups-as-written says so
      return membersOf(own, users)
        .filter((member) => member !== name && member !== "root")
        .map((member) => ({
          severity: "error" as const,
          agent: name,
          message: `${member} is in ${name}'s own group, and reads what ${name} leaves readable for that`,
          evidence: `members of group ${name}: ${membersOf(own, users).join(", ")}`,
          fix: leaveGroup(machine.flavour, member, name),
        }));
    },
  },
];

export const ofSpoolGroups: readonly MachineCheck[] = [
  {
    id: "spool-groups-as-written",
    sentence: "only accounts of the file are in the group of a spool",
    async ofMachine({ setup, machine }) {
      const [groups, users] = await Promise.all([machine.groups(), machine.users()]);
      return setup.groups.flatMap(({ name }) => {
        const group = groups.find((each) => each.name === name);
        if (group === undefined) return [];
        const meant = [...setup.agents, ...setup.humans].filter((account) => account.groups.includes(name));
        return membersOf(group, users)
          .filter((member) => member !== "root" && !meant.some((account) => account.name === member))
          .map((member) => ({
            severity: "error" as const,
            agent: member,
            message: `${member} is in group ${name} and uses its bus, of which the file says nothing`,
            evidence: `members of group ${name}: ${membersOf(group, users).join(", ")}`,
            fix: leaveGroup(machine.flavour, member, name),
          }));
      });
    },
  },
];

/** In a user namespace, who has an account's uid among its subordinate ones is that account (subuid(5)). */
function borrowedUids(
  agents: readonly { readonly name: string }[],
  machine: Machine,
  users: readonly Account[],
): Trouble[] {
  const lines = (machine.read(SUBUID) ?? "").split("\n");
  return lines.flatMap((line) => {
    const [, owner, start, count] = /^([^:]+):(\d+):(\d+)$/.exec(line) ?? [];
    const agent = agents.find(
      ({ name }) => name === owner || users.some((user) => user.name === name && String(user.uid) === owner),
    );
    if (agent === undefined) return [];
    const [first, last] = [Number(start), Number(start) + Number(count) - 1];
    const lent = users.filter(({ uid, name }) => name !== agent.name && uid >= first && uid <= last);
    if (lent.length === 0) return [];
    const message = `${agent.name} can act as ${lent.map(({ name }) => name).join(", ")} in a user namespace`;
    const evidence = `${SUBUID} gives it the uids ${first} to ${last}`;
    return [
      {
        severity: "error" as const,
        agent: agent.name,
        message,
        evidence,
        fix: `sed -i ${shellQuote(`/^${line}$/d`)} ${SUBUID}`,
      },
    ];
  });
}

function membersOf(group: Group, users: readonly Account[]): string[] {
  const main = users.filter(({ gid }) => gid === group.gid).map(({ name }) => name);
  return [...new Set([...group.members, ...main])];
}

/** Who has a uid that setup did not give it is the one to change. */
function sharedUid(account: Account, twins: readonly Account[], machine: Machine, users: readonly Account[]): Trouble {
  const { name, uid } = account;
  const ledger = Ledger.read(machine);
  const ownUid = (who: string) => ledger.find(`account:${who}`)?.id;
  const [twin] = twins;
  const intruder = twin !== undefined && uid !== 0 && ownUid(name) === uid ? twin : account;
  const sharers = [name, ...twins.map((each) => each.name)];
  return {
    severity: "error",
    agent: name,
    message: `${name} is the same account as ${twins.length === 0 ? "root" : sharers.slice(1).join(", ")}`,
    evidence: `uid ${uid} is that of ${sharers.join(", ")}`,
    fix: takeOtherUid(intruder, machine.flavour, users, ownUid(intruder.name)),
  };
}
