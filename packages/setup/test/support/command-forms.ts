import { deepEqual } from "node:assert/strict";
import type { Flavour } from "#setup/machine.js";
import type { Action, Change } from "#setup/plan/change.js";
import { commandText, ownership, words } from "#setup/plan/command-text.js";

/**
 * The commands that steps consist of, with what differs from file to file as NAME, N, TEXT or PATH: what docs/setup-macos.md has to say
 * something about. Of scripts, each command in them.
 */
export function commandForms(changes: readonly Change[], flavour: Flavour): Set<string> {
  const commands = changes.flatMap(({ action }) => commandsOf(action, flavour));
  return new Set(commands.map(normalised));
}

/** The programs of the system that scripts start which run as an agent. */
export function scriptPrograms(changes: readonly Change[]): Set<string> {
  const scripts = changes.flatMap(({ action }) =>
    action.kind === "run" && action.as !== undefined ? [action.argv[2] ?? ""] : [],
  );
  const programs = scripts.flatMap((script) =>
    // Where a command may begin. A program of awk's stands in quotes, and is none of the shell's.
    [
      ...script
        .replaceAll(/'[^']*'/g, "''")
        .matchAll(/(?<=(?:^|[;&|{(!]|\b(?:then|do|if|else)\b)\s*)([a-z]+)(?=\s|$)/gm),
    ].map(([, word = ""]) => word),
  );
  return new Set(programs.filter((word) => !SHELL_WORDS.has(word)));
}

/** Keywords and what sh does itself. */
const SHELL_WORDS = new Set(
  "set umask cd shift for while do done if then else fi test echo printf exit case esac export read unset".split(" "),
);

function commandsOf(action: Action, flavour: Flavour): string[] {
  switch (action.kind) {
    case "note":
      return [];
    case "write": {
      const { file } = action;
      const [staged, path] = ["PATH", "PATH"];
      return [
        "mkdir -p PATH",
        `chown ${ownership(file, flavour)} ${staged}`,
        `chmod ${file.mode.toString(8).padStart(4, "0")} ${staged}`,
        ...[file.check, file.checkWhole].flatMap((each) =>
          each === undefined ? [] : [words(each).replaceAll("'{}'", "PATH")],
        ),
        `mv -f ${staged} ${path}`,
      ];
    }
    case "run": {
      if (action.as !== undefined) {
        const [shell, flag, , ...rest] = action.argv;
        deepEqual([shell, flag], ["sh", "-c"]);
        return [
          commandText({ ...action, argv: ["sh", "-c", "SCRIPT", ...rest.map(() => "")] }, flavour).replaceAll(
            / ''/g,
            "",
          ),
        ];
      }
      const { argv } = action;
      const exec = argv.indexOf("-exec");
      // What find starts is a command too.
      if (argv[0] === "find" && exec !== -1)
        return [`${words(argv.slice(0, exec + 1))} …`, ...commandsIn(argv[exec + 3] ?? "", [])];
      return argv[0] === "sh" ? commandsIn(argv[2] ?? "", argv.slice(4)) : [words(argv)];
    }
    default:
      return commandText(action, flavour).split(" && ");
  }
}

/** Programs with the options that follow them, wherever they stand in a script. @param args of the script, among which options may be too */
function commandsIn(script: string, args: readonly string[]): string[] {
  const programs =
    /(?<![\w./$"-])(chflags|chmod|chown|find|ln|mkdir|mv|rm|rmdir|tar)((?:\s+(?:-[\w-]+|[a-z]+,[a-z]+|[0-7]{4}))*)(?=\s)/g;
  const given = args.filter((arg) => arg.startsWith("--")).join(" ");
  return [...script.matchAll(programs)].map(([, program = "", options = ""]) =>
    program === "tar" ? `tar ${given}` : `${program}${options}`,
  );
}

function normalised(command: string): string {
  return command
    .replaceAll(/'[^']* [^']*'/g, "TEXT")
    .replaceAll(/\b(?:codebot|reviewer|alice|agents)\b/g, "NAME")
    .replaceAll(/\b[0-9]{2,}\b(?!:)/g, (number) => (/^0[0-7]{3}$/.test(number) ? number : "N"))
    .replaceAll(/(?<= )\/(?!Users\/(?:NAME|nobody)\b|dev\/null)[A-Za-z]+\/[^\s"']+/g, "PATH")
    .replaceAll(/PATH(?: PATH)+/g, "PATH");
}
