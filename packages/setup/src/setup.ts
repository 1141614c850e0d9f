/**
 * What agentbus.json asks for, checked, with every default filled in: what all of setup works with. schemas/setup.schema.json
 * says what each field means.
 */
export interface Setup {
  /** Where it was read, absolute. */
  readonly path: string;
  readonly humans: readonly HumanSetup[];
  readonly groups: readonly GroupSetup[];
  readonly agents: readonly AgentSetup[];
  readonly power: PowerSetup;
}

/** A person, whose account exists already. */
export interface HumanSetup {
  readonly name: string;
  readonly groups: readonly string[];
}

/** A Unix group and its spool. */
export interface GroupSetup {
  readonly name: string;
  readonly limits: SpoolLimitsSetup;
}

export interface SpoolLimitsSetup {
  readonly maxEnvelopeBytes?: number;
  readonly maxHops?: number;
  readonly maxBacklog?: number;
}

export interface AgentSetup {
  readonly name: string;
  readonly groups: readonly string[];
  /** An absolute path; undefined: the platform's own, `defaultShell()`. */
  readonly shell: string | undefined;
  /** Such as 0o027. */
  readonly umask: number;
  /** Such as 0o700. */
  readonly homeMode: number;
  /**
   * Relative to the home. The agent may put a link in its place, so root never opens it: whoever reads it (systemd's
   * `EnvironmentFile=` does so as root) has to be the agent.
   */
  readonly environmentFile: string;
  readonly git: { readonly name: string; readonly email: string } | undefined;
  readonly limits: LimitsSetup;
  /** undefined: it only logs in. */
  readonly service: ServiceSetup | undefined;
  readonly sudo: readonly SudoRule[];
  readonly channels: { readonly sockets: boolean; readonly pipes: boolean };
}

/** What is undefined is not limited. */
export interface LimitsSetup {
  readonly memoryBytes?: number;
  /** Of one core: 150 is one and a half. */
  readonly cpuPercent?: number;
  readonly tasks?: number;
  readonly files?: number;
  readonly fileSizeBytes?: number;
}

export interface ServiceSetup {
  /** An absolute path, and arguments. */
  readonly command: readonly [string, ...string[]];
  /** undefined: the home. */
  readonly workingDirectory: string | undefined;
  readonly restart: "always" | "on-failure" | "no";
  readonly profile: "hardened" | "sudo";
  /** Of the hardened profile: whether it may make namespaces, as sandboxes within do. */
  readonly namespaces: boolean;
}

export interface SudoRule {
  /** An absolute path, and exact arguments. */
  readonly command: readonly [string, ...string[]];
  /** @default "root" */
  readonly runAs: string;
}

export interface PowerSetup {
  readonly stayAwake: boolean;
  readonly lidClosed: boolean;
}
