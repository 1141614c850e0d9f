import type { Machine } from "../machine.js";
import type { Origin } from "../ledger.js";

/**
 * One step from what a machine is to what it should be. The plan prints it, apply runs it and the ledger notes it: all
 * three from this, so none can say something else.
 */
export interface Change {
  /** "codebot/account": stable, so that a ledger, a test or a person can name the step. */
  readonly id: string;
  /** "create account codebot, uid 2000": for people. */
  readonly title: string;
  readonly action: Action;
  /** More for people: what differs, what to know. One line each. */
  readonly remarks?: readonly string[];
  /**
   * Whether the machine is now as this step wants it. Apply asks after the action, and believes this instead of exit codes,
   * which some tools set to 0 when they fail.
   */
  readonly hasTakenEffect: (machine: Machine) => Promise<boolean>;
  /** What the ledger notes before the action runs, so that what a crash left behind is known to be ours. */
  readonly origin?: Origin;
  /** The ledger notes these before the action as well: old values of what it changes along. */
  readonly remembers?: readonly Origin[];
  /** The ledger forgets these keys afterwards: of a removal, or of what was due. */
  readonly forgets?: readonly string[];
  /**
   * The ledger notes these before the action: commands that have to follow it, and are planned until they have. Once the file is written,
   * nothing else tells that a service still runs as the file said before.
   */
  readonly makesDue?: readonly Origin[];
  /** The ledger notes before the action that nobody gets this uid again. */
  readonly retires?: { readonly uid: number; readonly name: string };
  /** The ledger forgets everything of this agent afterwards, "" for what is nobody's: the last step of a removal. */
  readonly forgetsAgent?: string;
  /** Ids of steps without which it would do harm: of a removal, it is left for the next one while one of them has failed. */
  readonly needs?: readonly string[];
  /** Left out when it is true already by then: what an earlier step may have done along. @default false */
  readonly ifStill?: boolean;
  /** It takes effect a while after its command has ended, and is looked at again for so long, in milliseconds. @default 0 */
  readonly settlesWithinMs?: number;
  /** Asked right before: why it must not be done any more, for people; it is left out then. Somebody may have changed something since it was planned. */
  readonly objection?: (machine: Machine) => Promise<string | undefined>;
  /** There is nothing to look at: what the command exits with decides. @default false */
  readonly believesExitCode?: boolean;
  /** A failure is reported and the rest goes on. @default false */
  readonly isOptional?: boolean;
}

/** Something that is in the way: nothing is changed before somebody has decided about it. */
export interface Conflict {
  /** "codebot/home" */
  readonly id: string;
  readonly problem: string;
  /** A command where there is one. */
  readonly fix: string;
  /** An account or group of this name is there already, and `--adopt` would take it over. */
  readonly adoptable?: string;
}

export type Action = RunAction | WriteAction | ModeAction | RemoveAction | NoteAction | KillAction;

/** Nothing is done to the machine: only the ledger notes something, such as that a thing is used that was there before. */
export interface NoteAction {
  readonly kind: "note";
}

/** Kills all processes of a uid, until none is left. */
export interface KillAction {
  readonly kind: "kill";
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** A command. */
export interface RunAction {
  readonly kind: "run";
  readonly argv: readonly string[];
  /** As this agent instead of root, with its own group alone, in its home. */
  readonly as?: { readonly name: string; readonly home: string };
  /** A script is shown to people as these lines; in whole only where somebody wants to run it by hand. */
  readonly inShort?: readonly string[];
  /** @default 120,000 */
  readonly timeoutMs?: number;
  /** It is tried again when it fails, so often, after a pause that grows to five seconds: for macOS's directory service and launchd. @default 0 */
  readonly retries?: number;
  /** Each line that it prints is for the person, to know. @default false */
  readonly speaks?: boolean;
}

/** A file of root's, written beside its place and renamed into it. */
export interface WriteAction {
  readonly kind: "write";
  readonly file: ManagedFile;
  /** What is there now; undefined: nothing, null: it cannot be read as this account. */
  readonly before: string | undefined | null;
}

/** Owner and mode of a file or directory that exists, changed through a descriptor, never through a link. */
export interface ModeAction {
  readonly kind: "mode";
  readonly path: string;
  /** A name, or a number that need not have one. */
  readonly owner: string;
  /** @default as it is */
  readonly group?: string;
  /** @default as it is */
  readonly mode?: number;
}

/** Removes one file of root's. */
export interface RemoveAction {
  readonly kind: "remove";
  readonly path: string;
  readonly before: string | undefined | null;
}

/** A file that is setup's alone: all of its text is generated. */
export interface ManagedFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** @default root */
  readonly owner?: string;
  /** @default the platform's group of root */
  readonly group?: string;
  /** Looks at the file before it is renamed into place; "{}" stands for its path there. Not 0: it is not installed. */
  readonly check?: readonly string[];
  /** Looks at the whole once it is in place. Not 0: what was there before comes back. */
  readonly checkWhole?: readonly string[];
}

/**
 * What a part of setup wants: files that shall be there with exactly this text, and commands that make something true. The
 * planner compares it with the machine and makes changes of what differs; removal takes the same away again.
 */
export interface Wanted {
  readonly files: readonly WantedFile[];
  readonly commands: readonly WantedCommand[];
  /** What is in the way. @default none */
  readonly conflicts?: readonly Conflict[];
  /** What a person should know. @default none */
  readonly notes?: readonly string[];
}

export interface WantedFile extends ManagedFile {
  /** "codebot/sudo" */
  readonly id: string;
  /** "let codebot run 2 commands as root" */
  readonly title: string;
  readonly remarks?: readonly string[];
}

/** Commands run in their order, after all files of the same part are written. */
export interface WantedCommand {
  readonly id: string;
  readonly title: string;
  readonly argv: readonly string[];
  readonly remarks?: readonly string[];
  /** Whether it is true already. Asked before, to plan, and afterwards, to see whether it took effect. */
  readonly isDone: (machine: Machine) => Promise<boolean>;
  /** Whether it took effect, where that is another question. @default isDone */
  readonly hasTakenEffect?: (machine: Machine) => Promise<boolean>;
  /** @see Change.settlesWithinMs */
  readonly settlesWithinMs?: number;
  /** Runs also when one of the files with these ids was written by the same plan, such as a unit that its service shall be restarted for. */
  readonly afterFiles?: readonly string[];
  readonly isOptional?: boolean;
  readonly retries?: number;
  /** The old value of a setting that it changes, which the ledger keeps and removal restores while it is still `wanted`. */
  readonly setting?: { readonly key: string; readonly value: string; readonly wanted: string };
  /** What takes it back; asked `isUndone` before and after. Removal runs these before it deletes the part's files. */
  readonly undo?: WantedUndo;
}

export interface WantedUndo {
  readonly title: string;
  /** "{before}" stands for the old value that the ledger has kept. */
  readonly argv: readonly string[];
  readonly isUndone: (machine: Machine) => Promise<boolean>;
}
