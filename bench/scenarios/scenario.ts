import type { Losses } from "../ends/serials.js";
import type { Leftovers } from "../leftovers.js";
import type { Durability } from "../transports/transport.js";

/** One thing that is measured, of several contestants in interleaved rounds. */
export interface Scenario {
  /** Of the results, the plots and the command line. */
  readonly id: string;
  /** Scenarios of one family interleave their rounds: they are compared with each other too. */
  readonly family: string;
  /** What is measured, with everything that a reader has to know: size, rate, subscribers. */
  readonly title: string;
  /** What the table shows of a round, by the names of metrics, which end in their unit. */
  readonly columns: readonly string[];
  readonly full: Configuration;
  /** So short that its times mean nothing: it shows that nothing is lost. */
  readonly quick: Configuration;
  /** Takes as long as it takes, or is a run of many by itself: `--rounds` does not apply. */
  readonly hasFixedRounds?: boolean;
  /** Each contestant gets as many messages as it handles in about so long, measured in a pilot round, in milliseconds. */
  readonly roundMs?: number;
  /** It differs from another one by a number only, so a quick run is content with a few contestants. */
  readonly isVariant?: boolean;
  contestants(only: readonly string[] | undefined): Promise<readonly Contestant[]>;
}

export interface Configuration {
  readonly rounds: number;
  readonly bytes: number;
  /** What is measured in each round, after `warmUp` that is not. */
  readonly count: number;
  readonly warmUp: number;
  readonly perSecond: number | null;
  /** Messages that may be on their way to being accepted; null with a schedule. */
  readonly window: number | null;
  /** Subscriptions, all of them in one process. */
  readonly subscribers: number;
  /** In how many turns `count` is measured, where contestants can take turns. @default 1 */
  readonly turns?: number;
  /** Messages at the beginning of each turn that are not measured: what rested wakes up. @default 0 */
  readonly leadIn?: number;
  /** Whether who warms up rests once, as long as others' turns will take. @default false */
  readonly rests?: boolean;
  /** How long it is watched, where that is what is measured. */
  readonly durationMs?: number;
  /** What else there is to say, in words. */
  readonly note?: string;
}

/** Who takes part: mostly a transport. */
export interface Contestant {
  readonly name: string;
  readonly description: string;
  readonly durability: Durability;
  readonly keepsOrder: boolean;
  /** @returns the command that makes it possible here */
  missing(): Promise<string | undefined>;
  measure(configuration: Configuration, arena: Arena): Promise<Round>;
  /** A round in turns with other contestants, for those that do nothing meanwhile. Resolves when it has warmed up. */
  begin?(configuration: Configuration, arena: Arena): Promise<RoundInTurns>;
}

/** A round that is under way. */
export interface RoundInTurns {
  turn(): Promise<void>;
  /** After the last turn. */
  result(): Promise<Round>;
  /** To be called in the end, whatever else happened. */
  stop(): Promise<void>;
}

/** Where one round takes place. */
export interface Arena {
  /** Empty, this round's own, and removed after it. */
  readonly dir: string;
  readonly leftovers: Leftovers;
}

export interface Round {
  readonly metrics: Readonly<Record<string, number>>;
  readonly latenciesNs?: Float64Array;
  readonly losses: Losses;
  /** Where it is not the contestant's usual one. */
  readonly durability?: Durability | undefined;
  readonly note?: string | undefined;
}
