import { basename } from "node:path";

/**
 * The few programs of the escape list that cannot be left out of life with services, and the exact arguments with which they give nothing
 * away: no pager, no file or host named by an argument, no unit that is itself a shell.
 * @returns undefined when the arguments are such; otherwise what may be written instead; null when the program is none of these
 */
export function objectionToArguments(command: readonly [string, ...string[]]): string | undefined | null {
  const [path, ...args] = command;
  const judge = JUDGES.get(basename(path));
  return judge === undefined ? null : judge(args);
}

const VERBS = {
  ofUnits:
    `start stop restart try-restart reload reload-or-restart try-reload-or-restart reset-failed is-active is-enabled
    is-failed`.split(/\s+/),
  alone: ["daemon-reload", "reboot", "poweroff"],
  ofScripts: ["start", "stop", "restart", "reload", "force-reload"],
};
/** What neither names a file nor another machine, and starts no pager. */
const SAFE_OPTIONS: ReadonlySet<string> = new Set(["--no-pager", "--no-ask-password", "--no-block", "--quiet", "-q"]);
const UNIT = /^[A-Za-z0-9_][A-Za-z0-9_.:@-]*$/;
/** Root's shells, and the targets that start one; runlevel1.target is a name of rescue.target. */
const SHELL_UNIT =
  /^(?:debug-shell|console-shell|breakpoint-[A-Za-z0-9_.:@-]*|rescue|emergency|runlevel1)(?:\.service|\.target)?$/;
const IS_SHELL = "that unit is a shell of root's";
const LABEL = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const SYSTEM_LABEL = /^system\/[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

const JUDGES: ReadonlyMap<string, (args: readonly string[]) => string | undefined> = new Map([
  ["systemctl", judgeSystemctl],
  ["launchctl", judgeLaunchctl],
  ["service", judgeService],
  ["rc-service", judgeService],
]);

function judgeSystemctl(all: readonly string[]): string | undefined {
  const [verb = "", ...units] = all.filter((argument) => !SAFE_OPTIONS.has(argument));
  const allowed = `of systemctl only ${VERBS.ofUnits.join(", ")} with names of units, or ${VERBS.alone.join(", ")}, are safe`;
  if (units.some((unit) => SHELL_UNIT.test(unit))) return IS_SHELL;
  if (VERBS.alone.includes(verb) && units.length === 0) return undefined;
  if (VERBS.ofUnits.includes(verb) && units.length > 0 && units.every((unit) => UNIT.test(unit))) return undefined;
  if (["status", "show", "cat", "help", "edit"].includes(verb) || verb.startsWith("list-"))
    return `systemctl ${verb} starts ${verb === "edit" ? "an editor" : "a pager"}, which starts a shell when asked (!sh); ${allowed}`;
  return allowed;
}

function judgeLaunchctl(args: readonly string[]): string | undefined {
  const [verb, ...rest] = args;
  const target = rest.at(-1) ?? "";
  const isSafe =
    (verb === "kickstart" && SYSTEM_LABEL.test(target) && rest.slice(0, -1).every((option) => option === "-k")) ||
    (verb === "kill" &&
      rest.length === 2 &&
      /^(?:SIG)?(?:TERM|HUP|INT|USR1|USR2)$/.test(rest[0] ?? "") &&
      SYSTEM_LABEL.test(target)) ||
    ((verb === "start" || verb === "stop") && rest.length === 1 && LABEL.test(target));
  return isSafe
    ? undefined
    : "of launchctl only kickstart [-k] system/LABEL, kill SIGNAL system/LABEL, start LABEL and stop LABEL are safe";
}

function judgeService(args: readonly string[]): string | undefined {
  const [name = "", verb = ""] = args;
  // Where systemd runs, service(8) hands it on to systemctl.
  if (SHELL_UNIT.test(name)) return IS_SHELL;
  if (args.length === 2 && LABEL.test(name) && VERBS.ofScripts.includes(verb)) return undefined;
  return `of this program only NAME ${VERBS.ofScripts.join("|")} is safe: others read files that the name leads to, or start a pager`;
}
