import { isClean, sumOf, type Losses } from "../ends/serials.js";
import type { Leftovers } from "../leftovers.js";
import { curveOf } from "../report/statistics.js";
import type { Configuration, Contestant, Round, Scenario } from "../scenarios/scenario.js";
import type { Durability } from "../transports/transport.js";

/** What became of one contestant in one scenario. */
export interface Result {
  readonly scenario: Scenario;
  readonly configuration: Configuration & { readonly durability: Durability };
  readonly transport: string;
  readonly description: string;
  /** The metrics of each round. */
  readonly rounds: readonly Readonly<Record<string, number>>[];
  /** Percentile and microseconds, over all rounds; undefined where no latency is measured. */
  readonly curve: readonly (readonly [number, number])[] | undefined;
  readonly losses: Losses;
  /** False when it failed, when a message was lost or repeated, or overtook another where that is promised not to happen. */
  readonly isClean: boolean;
  /** Why there are fewer rounds than planned. */
  readonly failure: string | undefined;
}

/** One contestant's round, in turns with others. Failures are the lane's: nothing here throws. */
export interface LaneRound {
  turn(): Promise<void>;
  end(): Promise<void>;
}

/** Bounds of how many messages a round takes, where its duration is what is given. */
const COUNT = { min: 200, max: 1_000_000 };
const WARM_UP = { min: 200, max: 20_000 };
const MAX_PILOTS = 4;

/** One contestant in one scenario, round after round. Who fails is out; the others go on. */
export class Lane {
  readonly #scenario: Scenario;
  readonly #contestant: Contestant;
  #configuration: Configuration;
  readonly #rounds: Round[] = [];
  #failure: string | undefined;

  constructor(scenario: Scenario, contestant: Contestant, configuration: Configuration) {
    this.#scenario = scenario;
    this.#contestant = contestant;
    this.#configuration = configuration;
  }

  get name(): string {
    return `${this.#scenario.id}, ${this.#contestant.name}`;
  }

  get plannedRounds(): number {
    return this.#configuration.rounds;
  }

  get isOut(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Rounds that do not count, to find how many messages take `roundMs`. A program that has just begun is a fraction as fast as a little later, so
   * each is as long as the one before makes it, until one takes a good part of that time.
   */
  async pilot(parentDir: string, leftovers: Leftovers, roundMs: number): Promise<void> {
    for (let pilots = 0; pilots < MAX_PILOTS; pilots++) {
      const { count, subscribers } = this.#configuration;
      const round = await this.#measure(parentDir, leftovers);
      const perSecond = (round?.metrics["messagesPerSecond"] ?? NaN) / subscribers;
      if (!Number.isFinite(perSecond)) return;
      const next = clamp(Math.round((perSecond * roundMs) / 1_000), COUNT);
      this.#configuration = { ...this.#configuration, count: next, warmUp: clamp(next >> 1, WARM_UP) };
      if (2 * count >= next) return;
    }
  }

  async run(parentDir: string, leftovers: Leftovers): Promise<void> {
    if (this.takesTurns) return this.#runInTurns(parentDir, leftovers);
    const round = await this.#measure(parentDir, leftovers);
    if (round !== undefined) this.#rounds.push(round);
  }

  /** Whether a round of it can be measured in turns with others. */
  get takesTurns(): boolean {
    return this.turns > 1 && this.#contestant.begin !== undefined;
  }

  get turns(): number {
    return this.#configuration.turns ?? 1;
  }

  /** Begins a round in turns. @returns undefined when it failed: then it is out */
  async begin(parentDir: string, leftovers: Leftovers): Promise<LaneRound | undefined> {
    const dir = leftovers.makeDir(parentDir);
    const round = await this.#orOut(() => this.#contestant.begin?.(this.#configuration, { dir, leftovers }));
    if (round === undefined) {
      leftovers.removeDir(dir);
      return undefined;
    }
    return {
      turn: async () => {
        if (this.isOut) return;
        await this.#orOut(() => round.turn());
        // Whoever is out shall not run beside the others.
        if (this.isOut) await this.#orOut(() => round.stop());
      },
      end: async () => {
        const result = this.isOut ? undefined : await this.#orOut(() => round.result());
        if (result !== undefined) this.#rounds.push(result);
        await this.#orOut(() => round.stop());
        leftovers.removeDir(dir);
      },
    };
  }

  async #runInTurns(parentDir: string, leftovers: Leftovers): Promise<void> {
    const round = await this.begin(parentDir, leftovers);
    for (let turn = 0; turn < this.turns; turn++) await round?.turn();
    await round?.end();
  }

  result(): Result {
    const losses = sumOf(this.#rounds.map((round) => round.losses));
    const { name, description, keepsOrder, durability } = this.#contestant;
    const latencies = this.#rounds.flatMap(({ latenciesNs }) => (latenciesNs === undefined ? [] : [latenciesNs]));
    const note = this.#rounds.find((round) => round.note !== undefined)?.note;
    return {
      scenario: this.#scenario,
      configuration: {
        ...this.#configuration,
        ...(note === undefined ? {} : { note }),
        durability: this.#rounds.find((round) => round.durability !== undefined)?.durability ?? durability,
      },
      transport: name,
      description,
      rounds: this.#rounds.map(({ metrics }) => metrics),
      curve: latencies.length === 0 ? undefined : curveOf(latencies),
      losses,
      isClean: this.#failure === undefined && isClean(losses, keepsOrder),
      failure: this.#failure,
    };
  }

  async #measure(parentDir: string, leftovers: Leftovers): Promise<Round | undefined> {
    const dir = leftovers.makeDir(parentDir);
    const round = await this.#orOut(() => this.#contestant.measure(this.#configuration, { dir, leftovers }));
    leftovers.removeDir(dir);
    return round;
  }

  /** Who fails is out. */
  async #orOut<Value>(work: () => Promise<Value> | undefined): Promise<Value | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#failure ??= error instanceof Error ? error.message : String(error);
      return undefined;
    }
  }
}

function clamp(value: number, { min, max }: { readonly min: number; readonly max: number }): number {
  return Math.min(max, Math.max(min, value));
}
