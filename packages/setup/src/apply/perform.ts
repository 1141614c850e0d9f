import { BusError } from "@agentbus/core";
import type { Ledger } from "../ledger.js";
import type { Machine, RunResult } from "../machine.js";
import type { Change, RunAction, WriteAction } from "../plan/change.js";
import { AGENT_TIMEOUT_MS } from "../plan/as-agent.js";
import { commandText } from "../plan/command-text.js";
import { killAll } from "../system/kill-all.js";
import { removeRootFile, removeStaged, setOwnerAndMode, UnsafePath, writeRootFile } from "../system/root-file.js";

export interface Workshop {
  readonly machine: Machine;
  readonly ledger: Ledger;
  /** What runs our own command, such as ["/usr/bin/node", "/usr/lib/node_modules/@agentbus/cli/bin/agentbus.cjs"]. */
  readonly agentbus: readonly string[];
  /** Told before and after each part of a step; what it throws stops there. */
  readonly onMoment?: (moment: Moment) => void | Promise<void>;
  /** Told what a person should know and only the step itself has found. */
  readonly onNote?: (note: string) => void;
}

export interface Moment {
  readonly change: Change;
  /** begun; noted in the ledger; acted; done, the ledger too */
  readonly at: "begun" | "noted" | "acted" | "done";
}

/**
 * Takes one step: notes it in the ledger, acts, and looks whether it took effect. Whatever is interrupted in between is found by
 * the next plan, which compares anew; that the note comes first makes what is half done ours.
 * @throws BusError ERR_SETUP_STEP
 */
export async function perform(change: Change, workshop: Workshop): Promise<void> {
  const { machine, ledger, onMoment = () => undefined, onNote = () => undefined } = workshop;
  await onMoment({ change, at: "begun" });
  const objection = await change.objection?.(machine);
  if (objection !== undefined) {
    onNote(objection);
    return onMoment({ change, at: "done" });
  }
  if (change.ifStill === true && (await change.hasTakenEffect(machine))) {
    for (const key of change.forgets ?? []) await ledger.forget(key);
    return onMoment({ change, at: "done" });
  }
  if (change.origin !== undefined) await ledger.note(change.origin);
  for (const origin of [...(change.remembers ?? []), ...(change.makesDue ?? [])]) await ledger.note(origin);
  if (change.retires !== undefined) await ledger.retire(change.retires.uid, change.retires.name);
  await onMoment({ change, at: "noted" });
  const { complaint, hasFailed } = await act(change, workshop);
  await onMoment({ change, at: "acted" });
  const isDone = change.believesExitCode === true ? !hasFailed : await comesTrue(change, machine);
  if (!isDone) throw failed(change, complaint);
  for (const key of change.forgets ?? []) await ledger.forget(key);
  if (change.forgetsAgent !== undefined) await ledger.forgetAgent(change.forgetsAgent);
  await onMoment({ change, at: "done" });
}

/** Looks until it is so, or as long as it may take. */
async function comesTrue(change: Change, machine: Machine): Promise<boolean> {
  const end = performance.now() + (change.settlesWithinMs ?? 0);
  for (let attempt = 0; ; attempt++) {
    if (await hasTakenEffect(change, machine)) return true;
    if (performance.now() >= end) return false;
    await pause(attempt);
  }
}

/** 50 ms, and then twice as long each time, up to five seconds. */
function pause(attempt: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(50 * 2 ** attempt, 5_000)));
}

/** What cannot be looked at counts as not done. */
async function hasTakenEffect(change: Change, machine: Machine): Promise<boolean> {
  try {
    return await change.hasTakenEffect(machine);
  } catch (error) {
    if (isOfSystem(error)) return false;
    throw error;
  }
}

interface Outcome {
  /** What was said, in case it did not take effect. */
  readonly complaint: string;
  readonly hasFailed: boolean;
}

async function act({ action }: Change, workshop: Workshop): Promise<Outcome> {
  const { machine } = workshop;
  const outcome = (complaint: string): Outcome => ({ complaint, hasFailed: complaint !== "" });
  try {
    switch (action.kind) {
      case "run":
        return await run(action, workshop);
      case "write":
        return outcome(await write(action, machine));
      case "mode": {
        const { path, owner, group, mode } = action;
        setOwnerAndMode(path, {
          uid: await uidOf(machine, owner),
          gid: group === undefined ? undefined : await gidOf(machine, group),
          mode,
        });
        return outcome("");
      }
      case "remove":
        removeRootFile(action.path);
        return outcome("");
      case "kill":
        return outcome(await killAll(machine, action));
      case "note":
        return outcome("");
    }
  } catch (error) {
    if (isOfSystem(error)) return outcome(error.message);
    throw error;
  }
}

function isOfSystem(error: unknown): error is Error {
  return error instanceof UnsafePath || (error as NodeJS.ErrnoException).syscall !== undefined;
}

async function run(action: RunAction, { machine, agentbus, onNote }: Workshop): Promise<Outcome> {
  const { argv, as, timeoutMs, retries = 0, speaks = false } = action;
  const [program, ...args] = argv;
  const command = program === "agentbus" ? [...agentbus, ...args] : argv;
  const account = as === undefined ? undefined : await machine.user(as.name);
  if (as !== undefined && account === undefined)
    return { complaint: `there is no account ${as.name}`, hasFailed: true };
  for (let attempt = 0; ; attempt++) {
    const options = {
      ...(account === undefined ? {} : { as: account, timeoutMs: AGENT_TIMEOUT_MS }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
    const result = await machine.run(command, options);
    if (result.status === 0 || attempt === retries) {
      if (speaks) for (const line of result.stdout.split("\n").filter(Boolean)) onNote?.(line);
      return { complaint: complaintOf(result), hasFailed: result.status !== 0 };
    }
    await pause(attempt);
  }
}

function complaintOf({ status, stdout, stderr }: RunResult): string {
  const words = (stderr.trim() || stdout.trim()).slice(0, 2_000).replaceAll(/\s*\n\s*/g, "; ");
  return status === 0 ? words : `exit code ${status}${words === "" ? "" : `: ${words}`}`;
}

/** What it replaces comes back when the whole is refused, such as all of sudo's files together. */
async function write({ file }: WriteAction, machine: Machine): Promise<string> {
  const { path, text, mode, check, checkWhole } = file;
  const uid = await uidOf(machine, file.owner ?? "root");
  const gid = await gidOf(machine, file.group ?? machine.flavour.rootGroup);
  removeStaged(path.slice(0, path.lastIndexOf("/")));
  const before = machine.read(path);
  let complaint = "";
  const accept = async (argv: readonly string[] | undefined, staged: string) => {
    if (argv === undefined) return true;
    const result = await machine.run(argv.map((word) => word.replaceAll("{}", staged)));
    if (result.status !== 0) complaint = complaintOf(result);
    return result.status === 0;
  };
  const refused = new Error("refused");
  try {
    await writeRootFile({ path, text, mode, uid, gid }, async (staged) => {
      if (!(await accept(check, staged))) throw refused;
    });
    if (await accept(checkWhole, path)) return "";
    if (before === undefined) removeRootFile(path);
    else await writeRootFile({ path, text: before, mode, uid, gid }, () => Promise.resolve());
  } catch (error) {
    if (error !== refused) throw error;
  }
  return complaint;
}

async function uidOf(machine: Machine, owner: string): Promise<number> {
  return numberOf(owner) ?? idOf((await machine.user(owner))?.uid, owner);
}

async function gidOf(machine: Machine, group: string): Promise<number> {
  return numberOf(group) ?? idOf((await machine.group(group))?.gid, group);
}

function numberOf(name: string): number | undefined {
  return /^[0-9]{1,10}$/.test(name) ? Number(name) : undefined;
}

function idOf(id: number | undefined, name: string): number {
  if (id === undefined) throw new UnsafePath(name, "does not exist");
  return id;
}

function failed({ id, title, action }: Change, complaint: string): BusError {
  const command = commandText(action);
  const said = complaint === "" ? "its command said nothing against it" : complaint;
  // A script is not for a line; whoever wants it has it from the plan, or from the details.
  const shown = action.kind === "run" && action.inShort !== undefined ? action.inShort.join("; ") : command;
  return new BusError("ERR_SETUP_STEP", `a step has failed, "${title}" (${id}): ${said}`, {
    fix: `mend that, and run it again: it goes on here. The step is: ${shown}`,
    details: { step: id, command },
  });
}
