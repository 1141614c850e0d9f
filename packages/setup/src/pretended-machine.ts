import type { Stats } from "node:fs";
import type { Account, Flavour, Group, Machine, RunResult } from "./machine.js";

export interface Pretence {
  readonly flavour: Flavour;
  readonly users?: readonly Account[];
  readonly groups?: readonly Group[];
  /** Texts of files by their paths. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A fresh machine of some kind that is not here: for plans of another platform, and for tests. Nothing can be run on it. */
export class PretendedMachine implements Machine {
  readonly access = "pretended";
  readonly flavour: Flavour;
  readonly #pretence: Pretence;

  constructor(pretence: Pretence) {
    this.flavour = pretence.flavour;
    this.#pretence = pretence;
  }

  /** Whatever is asked for, no program is there. */
  run(argv: readonly string[]): Promise<RunResult> {
    return Promise.resolve({ status: 127, stdout: "", stderr: `cannot run ${argv[0] ?? ""} on a pretended machine` });
  }

  async user(name: string): Promise<Account | undefined> {
    return (await this.users()).find((account) => account.name === name);
  }

  async group(name: string): Promise<Group | undefined> {
    return (await this.groups()).find((group) => group.name === name);
  }

  users(): Promise<readonly Account[]> {
    return Promise.resolve(this.#pretence.users ?? []);
  }

  groups(): Promise<readonly Group[]> {
    return Promise.resolve(this.#pretence.groups ?? []);
  }

  stat(): Stats | undefined {
    return undefined;
  }

  list(): readonly string[] | undefined {
    return undefined;
  }

  read(path: string): string | undefined {
    return this.#pretence.files?.[path];
  }

  /** What every machine of its kind has. */
  which(program: string): string | undefined {
    return `/usr/bin/${program}`;
  }
}
