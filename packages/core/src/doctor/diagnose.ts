import { Accounts } from "../accounts.js";
import { fromErrno, isBusError, type BusError } from "../errors.js";
import { nodeFileSystem } from "../file-system.js";
import { membershipOf } from "../membership.js";
import { refuseUnknownOptions } from "../options.js";
import { shellQuote } from "../shell-command.js";
import { readSpool } from "../spool-file.js";
import { locateSpool, type SpoolLocation } from "../spool-location.js";
import { examineAncestors } from "./ancestors.js";
import { examineDirectories } from "./directories.js";
import { ExaminedSpool, type Machine } from "./examined.js";
import { finding, type Finding } from "./finding.js";
import { examineGroup } from "./group.js";
import { examineInotify } from "./inotify.js";
import { examineMounts } from "./mounts.js";
import { examineProtections } from "./protections.js";
import { examineRoom } from "./room.js";
import { examineNamespace, examineNode } from "./runtime.js";
import { examineSubscriptions } from "./subscriptions.js";

export interface DiagnoseOptions {
  /** The spool's path. @default as `openBus` chooses */
  readonly spool?: string | undefined;
  /** The Unix group whose spool it is. @default as `openBus` chooses */
  readonly group?: string | undefined;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

const OPTIONS: ReadonlySet<string> = new Set(["spool", "group", "env"] satisfies (keyof DiagnoseOptions)[]);
/** More findings of one check than this say nothing new. */
const MAX_OF_A_CHECK = 25;

const CHECK = "spool";

type Check<Subject> = (subject: Subject) => Finding[] | Promise<Finding[]>;

const OF_THE_MACHINE: readonly Check<Machine>[] = [examineNode, examineInotify];
/** Of the spool itself first, of what is in it last. */
const OF_THE_SPOOL: readonly Check<ExaminedSpool>[] = [
  examineGroup,
  examineNamespace,
  (spool) => (spool.kind === "group" ? examineProtections(spool.machine) : []),
  examineAncestors,
  examineMounts,
  examineRoom,
  examineDirectories,
  examineSubscriptions,
];

/**
 * Looks at everything that the bus depends on, and says for each thing that is not as it should be what mends it. It changes
 * nothing, and what it cannot see, as this account, it leaves out.
 * @throws TypeError for options that cannot be; nothing else
 */
export async function diagnose(options: DiagnoseOptions = {}, pretended: Partial<Machine> = {}): Promise<Finding[]> {
  refuseUnknownOptions("diagnose", options, OPTIONS);
  const machine = realMachine(pretended);
  const { spool, first } = await identify(options, machine);
  const ofTheMachine = await examine(OF_THE_MACHINE, machine);
  const ofTheSpool = spool === undefined ? [] : await examine(OF_THE_SPOOL, spool);
  return abridge([first, ...ofTheMachine, ...ofTheSpool]);
}

function realMachine(pretended: Partial<Machine>): Machine {
  return {
    fileSystem: pretended.fileSystem ?? nodeFileSystem,
    accounts: pretended.accounts ?? new Accounts(),
    platform: pretended.platform ?? process.platform,
    nodeVersion: pretended.nodeVersion ?? process.versions.node,
    procDir: pretended.procDir ?? "/proc",
  };
}

interface Identified {
  /** Undefined when there is nothing to look at. */
  readonly spool: ExaminedSpool | undefined;
  /** Which spool it is, or why it cannot be used. */
  readonly first: Finding;
}

async function identify(options: DiagnoseOptions, machine: Machine): Promise<Identified> {
  const { spool, group, env = process.env } = options;
  try {
    const location = await locateSpool({ spool, group }, env, machine);
    return await identifyAt(location, machine);
  } catch (error) {
    if (error instanceof TypeError) throw error;
    return { spool: undefined, first: asFinding(fromErrno(error, "find the spool")) };
  }
}

async function identifyAt(location: SpoolLocation, machine: Machine): Promise<Identified> {
  const { path } = location;
  try {
    const { kind, group, gid } = await readSpool(location, machine);
    const whose = kind === "group" ? `that of group ${group ?? ""}` : "this account's own";
    const first = finding("info", CHECK, `the spool is ${shellQuote(path)}, ${whose}`, { path });
    return { first, spool: new ExaminedSpool(path, { kind, group, gid }, machine) };
  } catch (error) {
    if (!isBusError(error)) throw error;
    if (location.isPersonal && error.code === "ERR_SPOOL_NOT_FOUND") {
      const message = `the spool is ${shellQuote(path)}, this account's own, and is made when it is first used`;
      return { first: finding("info", CHECK, message, { path }), spool: undefined };
    }
    return { first: asFinding(error), spool: await guess(location, machine) };
  }
}

/** What a directory must be whose spool.json cannot be read or believed, so that the rest can be examined all the same. */
async function guess({ path, isPersonal }: SpoolLocation, machine: Machine): Promise<ExaminedSpool | undefined> {
  const { fileSystem, accounts } = machine;
  try {
    const { gid, mode } = fileSystem.lstat(path);
    const kind = isPersonal || (mode & 0o070) === 0 ? "personal" : "group";
    // Who is shut out for not being a member sees nothing else either.
    if (kind === "group" && process.geteuid?.() !== 0 && (await membershipOf(gid, accounts)) !== "in force")
      return undefined;
    const group = kind === "group" ? await accounts.findGroup(gid) : undefined;
    return new ExaminedSpool(path, { kind, group, gid }, machine);
  } catch {
    return undefined;
  }
}

function asFinding({ message, path, fix }: BusError): Finding {
  return finding("error", CHECK, message, { path, fix });
}

async function examine<Subject>(checks: readonly Check<Subject>[], subject: Subject): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) {
    try {
      findings.push(...(await check(subject)));
    } catch (error) {
      findings.push(finding("warning", CHECK, fromErrno(error, "finish the examination").message));
    }
  }
  return findings;
}

function abridge(findings: readonly Finding[]): Finding[] {
  const counts = new Map<string, number>();
  const kept = findings.filter(({ check }) => {
    const count = (counts.get(check) ?? 0) + 1;
    counts.set(check, count);
    return count <= MAX_OF_A_CHECK;
  });
  for (const [check, count] of counts) {
    const more = count - MAX_OF_A_CHECK;
    if (more > 0) kept.push(finding("info", check, `${more} more findings about ${check} are left out`));
  }
  return kept;
}
