import type { Account, Machine } from "../machine.js";
import type { AgentSetup, HumanSetup, Setup } from "../setup.js";
import { AccountProbe } from "./account-probe.js";

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
  /** Accounts of the file for which nothing could be tried, and why. */
  readonly unprobed: ReadonlyMap<string, string>;
}

export async function beginExamination(setup: Setup, machine: Machine): Promise<Examination> {
  const unprobed = new Map<string, string>();
  const probeAll = async <Wish extends { readonly name: string }>(wishes: readonly Wish[]): Promise<Probed<Wish>[]> => {
    const probed = await Promise.all(wishes.map((wish) => startProbe(wish, machine, unprobed)));
    return probed.filter((each) => each !== undefined);
  };
  const [agents, humans] = await Promise.all([probeAll(setup.agents), probeAll(setup.humans)]);
  return { setup, machine, agents, humans, unprobed };
}

export async function endExamination({ agents, humans }: Examination): Promise<void> {
  await Promise.all([...agents, ...humans].map(({ probe }) => probe.end()));
}

/** Everybody else of the file whom an agent could harm. */
export function othersThan(agent: ProbedAgent, { agents, humans }: Examination): Probed<AgentSetup | HumanSetup>[] {
  return [...humans, ...agents].filter((other) => other.name !== agent.name);
}

async function startProbe<Wish extends { readonly name: string }>(
  wish: Wish,
  machine: Machine,
  unprobed: Map<string, string>,
): Promise<Probed<Wish> | undefined> {
  const account = await machine.user(wish.name);
  if (account === undefined) return void unprobed.set(wish.name, "it has no account");
  // What root tries succeeds, and would do harm.
  if (account.uid === 0) return void unprobed.set(wish.name, "its uid is 0, so it is root");
  try {
    const probe = await AccountProbe.start(account);
    const gids = [...new Set([account.gid, ...(await groupsOf(account, probe, machine))])];
    return { wish, name: wish.name, account, gids, probe };
  } catch (error) {
    return void unprobed.set(wish.name, (error as Error).message);
  }
}

/** On macOS the kernel knows only some of an account's groups (initgroups(3)). */
async function groupsOf({ name }: Account, probe: AccountProbe, machine: Machine): Promise<number[]> {
  if (machine.flavour.platform === "linux") return probe.run("groups");
  const { stdout } = await machine.run(["/usr/bin/id", "-G", name]);
  return stdout.trim().split(/\s+/).map(Number);
}
