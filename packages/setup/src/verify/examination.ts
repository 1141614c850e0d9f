import type { Account, Machine } from "../machine.js";
import type { AgentSetup, HumanSetup, Setup } from "../setup.js";
import { AccountProbe } from "./account-probe.js";
import { findCapablePrograms, type CapableSearch } from "./capable-programs.js";
import { findEnvFiles, type EnvFiles } from "./places-of-humans.js";

/** An account of the file that exists, and a process that tries as it. */
export interface Probed<Wish> {
  readonly wish: Wish;
  readonly name: string;
  readonly account: Account;
  /** All groups that the kernel counts it to. */
  readonly gids: readonly number[];
  readonly probe: AccountProbe;
}

export type ProbedAgent = Probed<AgentSetup>;
export type ProbedHuman = Probed<HumanSetup>;

/** All that the checks look at. */
export interface Examination {
  readonly setup: Setup;
  readonly machine: Machine;
  readonly agents: readonly ProbedAgent[];
  readonly humans: readonly ProbedHuman[];
  /** By the names of humans. */
  readonly envFiles: ReadonlyMap<string, EnvFiles>;
  readonly capable: CapableSearch;
  /** Accounts of the file for which nothing could be tried, and why. */
  readonly unprobed: ReadonlyMap<string, string>;
}

export async function beginExamination(
  setup: Setup,
  machine: Machine,
  agentbus: readonly string[],
): Promise<Examination> {
  const users = await machine.users();
  const unprobed = new Map<string, string>();
  const startProbe = async <Wish extends { readonly name: string }>(wish: Wish): Promise<Probed<Wish> | undefined> => {
    const account = await machine.user(wish.name);
    const objection = objectionTo(account, users);
    if (account === undefined || objection !== undefined) return void unprobed.set(wish.name, objection ?? "");
    try {
      const probe = await AccountProbe.start(account, agentbus);
      const gids = [...new Set([account.gid, ...(await groupsOf(account, probe, machine))])];
      return { wish, name: wish.name, account, gids, probe };
    } catch (error) {
      return void unprobed.set(wish.name, (error as Error).message);
    }
  };
  const probeAll = async <Wish extends { readonly name: string }>(wishes: readonly Wish[]): Promise<Probed<Wish>[]> =>
    (await Promise.all(wishes.map(startProbe))).filter((each) => each !== undefined);
  const [agents, humans] = await Promise.all([probeAll(setup.agents), probeAll(setup.humans)]);
  const homes = agents.map(({ account }) => account.home);
  const searches = humans.map(async ({ name, account }) => [name, await findEnvFiles(machine, account)] as const);
  const [capable, envFiles] = await Promise.all([findCapablePrograms(machine, homes), Promise.all(searches)]);
  return { setup, machine, agents, humans, unprobed, capable, envFiles: new Map(envFiles) };
}

export async function endExamination({ agents, humans }: Examination): Promise<void> {
  await Promise.all([...agents, ...humans].map(({ probe }) => probe.end()));
}

/** Everybody else of the file whom an agent could harm. */
export function othersThan(agent: ProbedAgent, { agents, humans }: Examination): Probed<AgentSetup | HumanSetup>[] {
  return [...humans, ...agents].filter((other) => other.name !== agent.name);
}

/** Why nothing is tried as an account. */
function objectionTo(account: Account | undefined, users: readonly Account[]): string | undefined {
  if (account === undefined) return "it has no account";
  // What root tries succeeds, and would do harm.
  if (account.uid === 0) return "its uid is 0, so it is root";
  const twins = users.filter(({ uid, name }) => uid === account.uid && name !== account.name);
  return twins.length === 0 ? undefined : `its uid is also that of ${twins.map(({ name }) => name).join(", ")}`;
}

/** On macOS the kernel knows only some of an account's groups (initgroups(3)). */
async function groupsOf({ name }: Account, probe: AccountProbe, machine: Machine): Promise<number[]> {
  if (machine.flavour.platform === "linux") return probe.run("groups");
  const { stdout } = await machine.run(["/usr/bin/id", "-G", name]);
  return stdout.trim().split(/\s+/).map(Number);
}
