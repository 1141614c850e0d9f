import { octal } from "@agentbus/core";
import type { Ledger, Origin } from "../ledger.js";

/**
 * What the ledger notes, before setup changes it, of an account that was taken over: the old value, and in `set` what setup makes of
 * it. Removal gives back what is still as setup made it (remove/put-back.ts, remove/give-back-home.ts).
 *
 * | key                              | before                                                     |
 * | -------------------------------- | ---------------------------------------------------------- |
 * | shell:codebot                    | a path                                                     |
 * | primary-group:codebot            | a gid                                                      |
 * | left:tape:codebot                | the gid of a group that it was taken out of                |
 * | home-mode:codebot                | "0755"; made: there was no home                            |
 * | home-group:codebot               | a gid                                                      |
 * | home-file:codebot:.profile       | "0644", or "link"; made: it was not there                  |
 * | home-directory:codebot:.config   | "link"; made: it was not there                             |
 * | git:codebot:user.name            | the value; made: there was none                            |
 */
export interface TakenOver {
  readonly name: string;
  readonly uid: number;
}

/** Whether all that setup changes of it has to be given back, and can be. */
export function remembers(ledger: Ledger, { name, uid }: TakenOver): boolean {
  const entry = ledger.find(`account:${name}`);
  return entry?.how === "adopted" && entry.id === uid && entry.remembers === true;
}

export function oldShell({ name, uid }: TakenOver, before: string, now: string): Origin {
  return { key: shellKey(name), how: "changed", before, set: [now], ...of({ name, uid }) };
}

export function oldPrimaryGroup({ name, uid }: TakenOver, before: number, now: number): Origin {
  return {
    key: primaryGroupKey(name),
    how: "changed",
    before: String(before),
    set: [String(now)],
    ...of({ name, uid }),
  };
}

/** A group that it is taken out of, since agentbus.json does not name it. */
export function groupLeft({ name, uid }: TakenOver, group: { readonly name: string; readonly gid: number }): Origin {
  return { key: leftKey(group.name, name), how: "changed", before: String(group.gid), ...of({ name, uid }) };
}

/** Two values, since what changes the primary group may change the one of these with it. */
export function oldHome(
  { name, uid }: TakenOver,
  before: { readonly mode: number; readonly gid: number },
  now: { readonly mode: number; readonly gid: number },
): Origin[] {
  const mode = octal(before.mode);
  return [
    { key: homeModeKey(name), how: "changed", before: mode, set: [octal(now.mode)], ...of({ name, uid }) },
    {
      key: homeGroupKey(name),
      how: "changed",
      before: String(before.gid),
      set: [String(now.gid)],
      ...of({ name, uid }),
    },
  ];
}

export function homeMade({ name, uid }: TakenOver): Origin {
  return { key: homeModeKey(name), how: "made", ...of({ name, uid }) };
}

/** @param before undefined: it was not there */
export function oldHomeFile({ name, uid }: TakenOver, path: string, before: string | undefined): Origin {
  return { key: `${homeFilePrefix(name)}${path}`, ...beforeOf(before), ...of({ name, uid }) };
}

/** @param before undefined: it was not there */
export function oldHomeDirectory({ name, uid }: TakenOver, path: string, before: "link" | undefined): Origin {
  return { key: `${homeDirectoryPrefix(name)}${path}`, ...beforeOf(before), ...of({ name, uid }) };
}

/** @param before undefined: there was none */
export function oldGitValue({ name, uid }: TakenOver, key: string, before: string | undefined, now: string): Origin {
  return { key: gitKey(name, key), ...beforeOf(before), set: [now], ...of({ name, uid }) };
}

export function shellKey(name: string): string {
  return `shell:${name}`;
}

export function primaryGroupKey(name: string): string {
  return `primary-group:${name}`;
}

export function leftKey(group: string, name: string): string {
  return `left:${group}:${name}`;
}

export function homeModeKey(name: string): string {
  return `home-mode:${name}`;
}

export function homeGroupKey(name: string): string {
  return `home-group:${name}`;
}

export function homeFilePrefix(name: string): string {
  return `home-file:${name}:`;
}

export function homeDirectoryPrefix(name: string): string {
  return `home-directory:${name}:`;
}

export function gitKey(name: string, key: string): string {
  return `git:${name}:${key}`;
}

function beforeOf(before: string | undefined): Pick<Origin, "how" | "before"> {
  return before === undefined ? { how: "made" } : { how: "changed", before };
}

function of({ name, uid }: TakenOver): Pick<Origin, "agent" | "id"> {
  return { agent: name, id: uid };
}
