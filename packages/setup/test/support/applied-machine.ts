import type { Stats } from "node:fs";
import type { Flavour, RunResult } from "#setup/machine.js";
import type { Change } from "#setup/plan/change.js";
import { makePlan } from "#setup/plan/make-plan.js";
import { PretendedMachine } from "#setup/pretended-machine.js";
import { spoolDirOf, SPOOLS_DIR } from "#setup/spool-place.js";
import type { Setup } from "#setup/setup.js";
import { stateDir } from "#setup/ledger.js";
import { OWN_DIRECTORIES } from "#setup/plan/spool-drift.js";

/** What agents may have left: each of them is a thing that removal looks for. */
const JOB_DIRECTORIES = [
  "/var/spool/cron/crontabs",
  "/var/spool/cron/atjobs",
  "/var/at/tabs",
  "/var/at/jobs",
  "/etc/crontabs",
];

/**
 * A pretended machine on which a file has been applied: what the plan of it makes is there, and so is the ledger that apply would have
 * kept, so that what its removal consists of can be seen of any platform.
 */
export class AppliedMachine extends PretendedMachine {
  /** Of power: `-c sleep 0`. */
  readonly #settings: readonly (readonly string[])[];
  readonly #paths: ReadonlyMap<string, { readonly isDirectory: boolean; readonly uid: number }>;

  private constructor(flavour: Flavour, setup: Setup, changes: readonly Change[], accounts: Accounts) {
    const files = Object.fromEntries(
      changes.flatMap(({ action }) => (action.kind === "write" ? [[action.file.path, action.file.text]] : [])),
    );
    super({
      flavour,
      ...accounts,
      files: { ...files, ...barring(setup), [`${stateDir(flavour)}/setup.json`]: ledgerOf(changes) },
    });
    this.#settings = changes.flatMap(({ action }) =>
      action.kind === "run" && action.argv[0] === "pmset" ? [action.argv.slice(1)] : [],
    );
    const directory = (uid = 0) => ({ isDirectory: true, uid });
    const jobs = JOB_DIRECTORIES.filter((dir) => dir.startsWith("/var/at") === (flavour.platform === "darwin"));
    this.#paths = new Map([
      ...Object.keys(files).map((path) => [path, { isDirectory: false, uid: 0 }] as const),
      ...accounts.users.map(({ home, uid }) => [home, directory(uid)] as const),
      ...accounts.users.map(({ name }) => [`/var/lib/systemd/linger/${name}`, { isDirectory: false, uid: 0 }] as const),
      ...jobs.map((dir) => [dir, directory()] as const),
      [SPOOLS_DIR, directory()],
      ...setup.groups.flatMap(({ name }) =>
        OWN_DIRECTORIES.map((each) => [spoolDirOf(name, each.name), directory()] as const),
      ),
    ]);
  }

  static async of(setup: Setup, flavour: Flavour): Promise<AppliedMachine> {
    const { changes, agents } = await makePlan(setup, new PretendedMachine({ flavour }));
    const groupOf = new Map<string, { gid: number; members: string[] }>();
    for (const { origin } of changes) {
      const [kind, group = "", user = ""] = origin?.key.split(":") ?? [];
      if (kind === "group") groupOf.set(group, { gid: origin?.id ?? 0, members: [] });
      if (kind === "member") groupOf.get(group)?.members.push(user);
    }
    const groups = [...groupOf].map(([name, each]) => ({ name, ...each }));
    return new AppliedMachine(flavour, setup, changes, { users: agents.map(({ account }) => account), groups });
  }

  override stat(path?: string): Stats | undefined {
    const found = this.#paths.get(path ?? "");
    if (found === undefined) return undefined;
    const { isDirectory, uid } = found;
    return {
      ...{ uid, gid: uid, mode: isDirectory ? 0o40755 : 0o100644 },
      ...{ isDirectory: () => isDirectory, isFile: () => !isDirectory, isSymbolicLink: () => false },
    } as unknown as Stats;
  }

  override list(path?: string): readonly string[] | undefined {
    const [prefix, names] = [`${path}/`, new Set<string>()];
    for (const each of this.#paths.keys()) {
      if (each.startsWith(prefix)) names.add(each.slice(prefix.length).split("/")[0] ?? "");
    }
    return names.size === 0 ? undefined : [...names].sort();
  }

  /** macOS's directory is asked by programs, and so are its settings. */
  override async run(argv: readonly string[]): Promise<RunResult> {
    if (argv[0] === "pmset") return { status: 0, stdout: this.#power(argv.includes("custom")), stderr: "" };
    const [program, , verb, record = "", attribute = ""] = argv;
    const [, kind, name = ""] = record.split("/");
    const id = kind === "Groups" ? (await this.group(name))?.gid : (await this.user(name))?.uid;
    if (program !== "dscl" || verb !== "-read" || id === undefined) return super.run(argv);
    return { status: 0, stdout: `${attribute}: ${id}\n`, stderr: "" };
  }

  #power(isCustom: boolean): string {
    if (!isCustom) return this.#settings.some(([, name]) => name === "disablesleep") ? " SleepDisabled\t\t1\n" : "";
    const lines = this.#settings.flatMap(([flag, name, value]) => (flag === "-c" ? [` ${name}\t${value}`] : []));
    return ["AC Power:", ...lines, ""].join("\n");
  }
}

type Accounts = Required<Pick<ConstructorParameters<typeof PretendedMachine>[0], "users" | "groups">>;

function ledgerOf(changes: readonly Change[]): string {
  const entries = changes.flatMap(({ origin }) => {
    if (origin === undefined) return [];
    const { key, ...entry } = origin;
    // On a fresh machine that is pretended nobody knows the old value of a setting.
    const known = (text: string) => text.replace("unknown", "10");
    const { before, undo } = entry;
    const old = {
      ...(before === undefined ? {} : { before: known(before) }),
      ...(undo === undefined ? {} : { undo: undo.map(known) }),
    };
    return [[key, { ...entry, ...old }]];
  });
  return JSON.stringify({ version: 1, entries: Object.fromEntries(entries) as object, retired: [] });
}

/** What spool.json says of agents that the file bars from channels. */
function barring({ groups, agents }: Setup): Record<string, string> {
  const texts = groups.map(({ name }) => {
    const of = (channel: "sockets" | "pipes") =>
      agents.filter((agent) => agent.groups.includes(name) && !agent.channels[channel]).map((agent) => agent.name);
    return [
      `${spoolDirOf(name)}/spool.json`,
      JSON.stringify({ barred: { sockets: of("sockets"), pipes: of("pipes") } }),
    ];
  });
  return Object.fromEntries(texts) as Record<string, string>;
}
