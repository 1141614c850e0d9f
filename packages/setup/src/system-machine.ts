import fs from "node:fs";
import { BusError } from "@agentbus/core";
import type { Account, Flavour, Group, Machine, RunOptions, RunResult } from "./machine.js";
import { parseDirectoryGroups, parseDirectoryUsers, parseGroup, parsePasswd } from "./system/account-lists.js";
import { sudoRsVersion } from "./sudo/sudo-rs-version.js";
import { readRootFile } from "./system/root-file.js";
import { runProgram } from "./system/run-program.js";

const MAX_READ_BYTES = 4 * 1024 * 1024;
const SEARCHED = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The machine that this process runs on. */
export class SystemMachine implements Machine {
  readonly access: Machine["access"] = process.geteuid?.() === 0 ? "root" : "unprivileged";
  readonly flavour: Flavour;

  private constructor(flavour: Flavour) {
    this.flavour = flavour;
  }

  /** @throws BusError ERR_PLATFORM */
  static async look(): Promise<SystemMachine> {
    return new SystemMachine(await flavourOf(process.platform));
  }

  run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return runProgram(argv, options);
  }

  async user(name: string): Promise<Account | undefined> {
    const local = (await this.users()).find((account) => account.name === name);
    if (local !== undefined || this.flavour.platform === "darwin") return local;
    // Somebody may have it from LDAP.
    const { status, stdout } = await this.run(["getent", "passwd", "--", name]);
    return status === 0 ? parsePasswd(stdout).find((account) => account.name === name) : undefined;
  }

  async group(name: string): Promise<Group | undefined> {
    const local = (await this.groups()).find((group) => group.name === name);
    if (local !== undefined || this.flavour.platform === "darwin") return local;
    const { status, stdout } = await this.run(["getent", "group", "--", name]);
    return status === 0 ? parseGroup(stdout).find((group) => group.name === name) : undefined;
  }

  async users(): Promise<readonly Account[]> {
    if (this.flavour.platform === "linux") return parsePasswd(fs.readFileSync("/etc/passwd", "utf8"));
    return parseDirectoryUsers((await this.run(["dscacheutil", "-q", "user"])).stdout);
  }

  async groups(): Promise<readonly Group[]> {
    if (this.flavour.platform === "linux") return parseGroup(fs.readFileSync("/etc/group", "utf8"));
    return parseDirectoryGroups((await this.run(["dscacheutil", "-q", "group"])).stdout);
  }

  stat(path: string): fs.Stats | undefined {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  }

  list(path: string): readonly string[] | undefined {
    try {
      return fs.readdirSync(path).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  read(path: string, maxBytes = MAX_READ_BYTES): string | undefined {
    return readRootFile(path, maxBytes);
  }

  which(program: string): string | undefined {
    return SEARCHED.map((dir) => `${dir}/${program}`).find((path) => {
      try {
        fs.accessSync(path, fs.constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  }
}

async function flavourOf(platform: NodeJS.Platform): Promise<Flavour> {
  if (platform !== "linux" && platform !== "darwin") {
    throw new BusError("ERR_PLATFORM", `cannot set up accounts on ${platform}: setup knows Linux and macOS`, {
      fix: "agentbus setup plan --platform linux (or darwin) shows a plan for another machine",
    });
  }
  const sudo = await sudoHere();
  if (platform === "darwin") {
    const rest = { rootGroup: "wheel", homesDir: "/Users", hasSystemd: false } as const;
    return { platform, accountTools: "directory-service", ...sudo, ...rest };
  }
  // Busybox where nothing else is: where both are, shadow-utils know more.
  const hasShadow = SEARCHED.some((dir) => fs.existsSync(`${dir}/useradd`));
  return {
    platform,
    accountTools: hasShadow ? "shadow" : "busybox",
    hasSystemd: fs.existsSync("/run/systemd/system"),
    ...sudo,
    rootGroup: "root",
    homesDir: "/home",
  };
}

/** sudo-rs says so itself, and takes only a part of sudo's language. */
async function sudoHere(): Promise<Pick<Flavour, "sudo" | "sudoRsVersion">> {
  const { status, stdout, stderr } = await runProgram(["sudo", "--version"]);
  if (status === 127) return { sudo: "none" };
  const said = stdout + stderr;
  if (!said.includes("sudo-rs")) return { sudo: "sudo" };
  const version = sudoRsVersion(said);
  return { sudo: "sudo-rs", ...(version === undefined ? {} : { sudoRsVersion: version }) };
}
