import type { Stats } from "node:fs";
import type { SudoRsVersion } from "./sudo/sudo-rs-version.js";

/** The system that setup plans for and works on: everything that it sees and does goes through this, so that a test or a plan for another platform can pretend one. */
export interface Machine {
  readonly flavour: Flavour;
  /** Whether it can be changed; a pretended one, and one without root, can only be planned for. */
  readonly access: "root" | "unprivileged" | "pretended";

  /** Runs a program by its absolute path or its name, in a clean environment, without a shell and without a terminal. Never throws for what it exits with. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;

  user(name: string): Promise<Account | undefined>;
  group(name: string): Promise<Group | undefined>;
  /** All that the system lists, to choose a free number. */
  users(): Promise<readonly Account[]>;
  groups(): Promise<readonly Group[]>;

  /** Of the thing itself: never follows a link. undefined when there is none. @throws the system's error, such as EACCES */
  stat(path: string): Stats | undefined;
  /** The names in a directory of root's; undefined when there is none. @throws the system's error */
  list(path: string): readonly string[] | undefined;
  /** The text of a file of root's, which is no link; undefined when there is none. @throws the system's error, `UnsafePath` */
  read(path: string, maxBytes?: number): string | undefined;
  /** Whether a program can be found on root's path. */
  which(program: string): string | undefined;
}

export interface Flavour {
  readonly platform: "linux" | "darwin";
  /** What makes accounts: shadow-utils, busybox (Alpine), or macOS's directory service. */
  readonly accountTools: "shadow" | "busybox" | "directory-service";
  /** Whether systemd runs this machine. */
  readonly hasSystemd: boolean;
  readonly sudo: "sudo" | "sudo-rs" | "none";
  /** Of sudo-rs, whose language grows; undefined: it is another sudo, or does not say. */
  readonly sudoRsVersion?: SudoRsVersion;
  /** The group that files of root belong to: root, or wheel on macOS. */
  readonly rootGroup: "root" | "wheel";
  /** The root of homes: /home or /Users. */
  readonly homesDir: "/home" | "/Users";
}

export interface RunOptions {
  /** As this account, with its own group and nothing else; its home is the working directory. @default root */
  readonly as?: { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string };
  readonly input?: string;
  /** @default 120,000 */
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** The exit code; 128 and the signal's number when a signal ended it; 127 when there is no such program. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export interface Group {
  readonly name: string;
  readonly gid: number;
  /** As the group lists them; those whose primary group it is are not among them. */
  readonly members: readonly string[];
}

export const FLAVOURS = {
  debian: {
    platform: "linux",
    accountTools: "shadow",
    hasSystemd: true,
    sudo: "sudo",
    rootGroup: "root",
    homesDir: "/home",
  },
  alpine: {
    platform: "linux",
    accountTools: "busybox",
    hasSystemd: false,
    sudo: "none",
    rootGroup: "root",
    homesDir: "/home",
  },
  darwin: {
    platform: "darwin",
    accountTools: "directory-service",
    hasSystemd: false,
    sudo: "sudo",
    rootGroup: "wheel",
    homesDir: "/Users",
  },
} as const satisfies Record<string, Flavour>;
