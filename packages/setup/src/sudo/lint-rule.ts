import { basename } from "node:path";
import type { SudoRule } from "../setup.js";
import { escapeOf } from "./escape-list.js";
import { objectionToArguments } from "./permitted-arguments.js";
import { objectionToLength, objectionToPath, objectionToWord } from "./sudoers-words.js";

/** What speaks against one sudo rule. */
export interface SudoObjection {
  /** Of the command's words; undefined: of `runAs`. */
  readonly word: number | undefined;
  readonly problem: string;
  readonly remedy: string;
}

/** Where a program of root's with fixed verbs belongs: nobody but root can write there. Not /usr/local on macOS, which is Homebrew's. */
const HELPER_PATHS = { linux: "/usr/local/libexec/agentbus/priv", darwin: "/Library/agentbus/priv" } as const;

/**
 * Whether a rule allows what is written in it and nothing else: an absolute path, exact arguments, and no program that gives root
 * away. What the files of the machine say against it is `examineCommand()`'s.
 */
export function lintSudoRule({ command, runAs }: SudoRule, platform: "linux" | "darwin" = "linux"): SudoObjection[] {
  const objections = [...aboutRunAs(runAs), ...aboutWords(command)];
  // Of a path that cannot be read, its last part says nothing.
  if (objections.some(({ word }) => word === 0)) return objections;
  return [...objections, ...aboutProgram(command, platform)];
}

function aboutRunAs(runAs: string): SudoObjection[] {
  const remedy = "name one account, or leave runAs out for root";
  if (runAs === "ALL") return [{ word: undefined, problem: "ALL would be every account", remedy }];
  if (/^[A-Z][A-Z0-9_]*$/.test(runAs))
    return [{ word: undefined, problem: `sudo takes ${runAs} for an alias, which other files may define`, remedy }];
  if (!/^[A-Za-z][A-Za-z0-9._-]*$/.test(runAs))
    return [
      { word: undefined, problem: `${JSON.stringify(runAs)} is no name that sudo and sudo-rs read alike`, remedy },
    ];
  return [];
}

function aboutWords(command: readonly [string, ...string[]]): SudoObjection[] {
  const remedy = "write out exactly what shall be called; what cannot be written here belongs into a program of root's";
  const objections = command.flatMap((text, word) => {
    const problem = word === 0 ? (aboutFirstWord(text) ?? objectionToPath(text)) : objectionToWord(text);
    return problem === undefined
      ? []
      : [{ word, problem, remedy: word === 0 ? "write the absolute path of one program" : remedy }];
  });
  const tooLong = objectionToLength(command);
  return tooLong === undefined ? objections : [...objections, { word: 0, problem: tooLong, remedy }];
}

function aboutFirstWord(word: string): string | undefined {
  if (word === "ALL") return "ALL would be every program";
  if (word.startsWith("!")) return "what is forbidden is found again under another name, so ! protects nothing";
  if (/^(?:NO)?[A-Z_]+:/.test(word))
    return "there are no tags here: SETENV would hand LD_PRELOAD to a program of root's";
  if (/^(?:sha(?:224|256|384|512):|\^)/.test(word)) return "sudo-rs reads neither digests nor regular expressions";
  if (word === "sudoedit") return "sudoedit starts an editor, and follows what the agent puts in the way";
  return undefined;
}

function aboutProgram(command: readonly [string, ...string[]], platform: "linux" | "darwin"): SudoObjection[] {
  const [path, first] = command;
  const aboutArguments = objectionToArguments(command);
  if (aboutArguments === undefined) return [];
  const escape = aboutArguments ?? escapeOf(path)?.how;
  if (escape === undefined) return [];
  const problem = `an agent that may run ${basename(path)} as root is root: ${escape}`;
  return [
    {
      word: aboutArguments === null ? 0 : first === undefined ? 0 : 1,
      problem,
      remedy: helperInstead(command, platform),
    },
  ];
}

/** @returns what to do instead, as a sentence with the lines to write */
function helperInstead([path, ...args]: readonly [string, ...string[]], platform: "linux" | "darwin"): string {
  const verb = [basename(path), ...args.slice(0, 1)]
    .join("-")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const shown = verb.slice(0, 30);
  return `let a program of root's do it, with no argument but a fixed word: allow ["${HELPER_PATHS[platform]}", "${shown}"] (docs/sudo.md shows such a program)`;
}
