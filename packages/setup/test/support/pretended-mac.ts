import type { Stats } from "node:fs";
import { FLAVOURS, type Account, type Group, type RunResult } from "#setup/machine.js";
import { PretendedMachine } from "#setup/pretended-machine.js";

/** Attributes by their names. */
type Attributes = Map<string, string>;

/** A Mac whose directory service does what the manual pages say, and fails as often as a test wants. Files are only names. */
export class PretendedMac extends PretendedMachine {
  readonly ran: string[] = [];
  readonly homes = new Map<string, { uid: number; gid?: number; mode: number }>();
  /** Texts of root's files. */
  readonly files = new Map<string, string>();
  readonly #users = new Map<string, Attributes>([
    [
      "nobody",
      new Map([
        ["UniqueID", "-2"],
        ["PrimaryGroupID", "-2"],
        ["NFSHomeDirectory", "/var/empty"],
      ]),
    ],
  ]);
  readonly #groups = new Map<string, { gid: string; members: Set<string> }>([
    ["staff", { gid: "20", members: new Set(["root"]) }],
  ]);
  /** How often the next commands that change something fail with eNotYetImplemented, although they would work a moment later. */
  failures = 0;
  /** Whether privacy protection keeps this terminal from changing accounts. */
  isProtected = false;
  /** Attributes for whose change macOS kills dscl. */
  readonly killedFor = new Set<string>();

  constructor() {
    super({ flavour: FLAVOURS.darwin });
  }

  override run(argv: readonly string[]): Promise<RunResult> {
    const isQuestion = argv.includes("-read") || argv[1] === "checkmembership";
    if (!isQuestion) this.ran.push(argv.join(" "));
    if (!isQuestion && this.failures > 0) {
      this.failures--;
      return Promise.resolve({ status: 140, stdout: "", stderr: "<dscl_cmd> DS Error: -14988 (eNotYetImplemented)" });
    }
    const [program = "", ...args] = argv;
    const answers: Readonly<Record<string, () => RunResult>> = {
      dscl: () => this.#dscl(args),
      dseditgroup: () => this.#dseditgroup(args),
      dsmemberutil: () => this.#dsmemberutil(args),
      createhomedir: () => this.#makeHome(args),
    };
    const done = answers[program]?.();
    return Promise.resolve(done ?? { status: 127, stdout: "", stderr: `no ${program} here` });
  }

  override users(): Promise<readonly Account[]> {
    const accounts = [...this.#users].map(([name, record]) => ({
      name,
      uid: Number(record.get("UniqueID") ?? Number.NaN),
      gid: Number(record.get("PrimaryGroupID") ?? Number.NaN),
      home: record.get("NFSHomeDirectory") ?? "",
      shell: record.get("UserShell") ?? "",
    }));
    return Promise.resolve(accounts.filter(({ uid }) => !Number.isNaN(uid)));
  }

  override groups(): Promise<readonly Group[]> {
    return Promise.resolve(
      [...this.#groups].map(([name, { gid, members }]) => ({ name, gid: Number(gid), members: [...members] })),
    );
  }

  override stat(path?: string): Stats | undefined {
    const home = this.homes.get(path ?? "");
    return (
      home &&
      ({
        gid: home.uid,
        ...home,
        isDirectory: () => true,
        isSymbolicLink: () => false,
        isFile: () => false,
      } as unknown as Stats)
    );
  }

  override read(path: string): string | undefined {
    return this.files.get(path);
  }

  /** One that somebody has made before. */
  addUser(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#users.set(name, new Map(Object.entries(attributes)));
  }

  addGroup(name: string, gid: number, members: readonly string[]): void {
    this.#groups.set(name, { gid: String(gid), members: new Set(members) });
  }

  /** Everything that it says of an account. */
  record(user: string): Record<string, string> {
    return Object.fromEntries(this.#users.get(user) ?? []);
  }

  attribute(user: string, name: string): string | undefined {
    return this.#users.get(user)?.get(name);
  }

  #dscl([, verb = "", path = "", attribute = "", value = "", changed = ""]: readonly string[]): RunResult {
    const [, kind = "", name = ""] = path.split("/");
    const user = this.#users.get(name);
    if (verb === "-read") {
      const found =
        kind === "Groups"
          ? attribute === "PrimaryGroupID"
            ? this.#groups.get(name)?.gid
            : undefined
          : attribute === "RecordName" && user
            ? name
            : user?.get(attribute);
      if (found === undefined) return { status: 56, stdout: "", stderr: "eDSRecordNotFound" };
      const prefix = attribute === "IsHidden" ? "dsAttrTypeNative:" : "";
      return ok(`${prefix}${attribute}:${found.includes(" ") ? "\n " : " "}${found}\n`);
    }
    if (this.isProtected) return { status: 40, stdout: "", stderr: "DS Error: -14120 (eDSPermissionError)" };
    if (this.killedFor.has(attribute)) return { status: 137, stdout: "", stderr: "" };
    if (verb === "-create" && attribute === "") this.#users.set(name, user ?? new Map());
    else if (verb === "-create") user?.set(attribute, value);
    else if (verb === "-change" && user?.get(attribute) === value) user.set(attribute, changed);
    else if (verb === "-delete") this.#users.delete(name);
    return ok();
  }

  #dseditgroup(args: readonly string[]): RunResult {
    const name = args.at(-1) ?? "";
    const after = (flag: string) => args[args.indexOf(flag) + 1] ?? "";
    const group = this.#groups.get(name);
    if (after("-o") === "create") this.#groups.set(name, group ?? { gid: after("-i"), members: new Set() });
    if (after("-o") === "delete") this.#groups.delete(name);
    if (args.includes("-a")) group?.members.add(after("-a"));
    if (args.includes("-d")) group?.members.delete(after("-d"));
    return ok();
  }

  #dsmemberutil([verb, , user = "", , group = ""]: readonly string[]): RunResult {
    if (verb === "flushcache") return ok();
    const isIn = this.#groups.get(group)?.members.has(user) === true;
    return ok(`user is ${isIn ? "" : "not "}a member of the group\n`);
  }

  #makeHome(args: readonly string[]): RunResult {
    const user = this.#users.get(args.at(-1) ?? "");
    this.homes.set(user?.get("NFSHomeDirectory") ?? "", { uid: Number(user?.get("UniqueID")), mode: 0o755 });
    // It says "created (…)", and exits with 0 also when it did not.
    return ok("creating home directories\n");
  }
}

function ok(stdout = ""): RunResult {
  return { status: 0, stdout, stderr: "" };
}
