import { spawnSync } from "node:child_process";
import fs from "node:fs";

/** What Debian and Ubuntu set, and a bare machine may not have: where it is missing, tests pass that fail at a customer's. */
const STRICT: Readonly<Record<string, string>> = {
  "fs.protected_regular": "2",
  "fs.protected_fifos": "2",
  "fs.protected_hardlinks": "1",
};

/** Where only root writes, and which a reboot empties as it resets the values. */
const STATE_FILE = "/run/agentbus-tests-sysctls.json";

interface State {
  /** What was set before the first holder came. */
  readonly before: Readonly<Record<string, string>>;
  /** Processes that need the strict values; one that died without a word is known by its start time. */
  readonly holders: readonly Holder[];
}

interface Holder {
  readonly pid: number;
  readonly startTime: string | undefined;
}

/**
 * Makes the kernel's link and sticky-directory protections strict for as long as any process of any test file holds them. The first
 * holder saves what was set, the last one puts it back; what a killed one left is put back by whoever comes next.
 */
export function holdStrictSysctls(pid: number): void {
  underLock(() => {
    const state = readState();
    const before = state?.before ?? Object.fromEntries(Object.keys(STRICT).map((name) => [name, read(name)]));
    const holders = [...(state?.holders ?? []).filter(isAlive), { pid, startTime: startTimeOf(pid) }];
    // Written before anything is set: from here on whoever comes next knows what to put back.
    writeState({ before, holders });
    for (const [name, value] of Object.entries(STRICT)) write(name, value);
  });
}

export function releaseStrictSysctls(pid: number): void {
  underLock(() => {
    const state = readState();
    if (state === undefined) return;
    const holders = state.holders.filter((holder) => holder.pid !== pid && isAlive(holder));
    if (holders.length > 0) return writeState({ ...state, holders });
    for (const [name, value] of Object.entries(state.before)) write(name, value);
    fs.rmSync(STATE_FILE);
  });
}

/** Why the values cannot be set here; undefined when they can, or need not be. */
export function whySysctlsCannotBeSet(): string | undefined {
  try {
    for (const name of Object.keys(STRICT))
      if (read(name) !== STRICT[name]) fs.accessSync(pathOf(name), fs.constants.W_OK);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** What is locked is a sysctl itself: it is the same for everybody on this machine, and no file has to be left behind. */
function underLock(action: () => void): void {
  const fd = fs.openSync(pathOf("fs.protected_regular"), "r");
  try {
    // flock(1) locks the open file description that it inherits; it stays locked until we close it, or end in whatever way.
    const { status, stderr } = spawnSync("flock", ["--timeout", "60", "3"], {
      stdio: ["ignore", "ignore", "pipe", fd],
    });
    if (status !== 0) throw new Error(`flock: ${String(stderr)}`);
    action();
  } finally {
    fs.closeSync(fd);
  }
}

function readState(): State | undefined {
  try {
    return JSON.parse(fs.readFileSync(STATE_FILE, "utf8")) as State;
  } catch {
    return undefined;
  }
}

function writeState(state: State): void {
  fs.writeFileSync(`${STATE_FILE}.new`, JSON.stringify(state), { mode: 0o600 });
  fs.renameSync(`${STATE_FILE}.new`, STATE_FILE);
}

function isAlive({ pid, startTime }: Holder): boolean {
  return startTime !== undefined && startTimeOf(pid) === startTime;
}

function startTimeOf(pid: number): string | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function pathOf(name: string): string {
  return `/proc/sys/${name.replaceAll(".", "/")}`;
}

function read(name: string): string {
  return fs.readFileSync(pathOf(name), "latin1").trim();
}

function write(name: string, value: string): void {
  if (read(name) !== value) fs.writeFileSync(pathOf(name), value);
}
