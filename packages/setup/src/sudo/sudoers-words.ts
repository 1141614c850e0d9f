/**
 * How a command stands in sudoers, so that sudo (sudoers(5), "Other special characters and reserved words") and sudo-rs read it as the
 * very words that were meant. What the two read differently, or what cannot be written at all, is refused before.
 */

/** sudo-rs reads no longer ones. */
const MAX_COMMAND = 1024;
/** These end a command, begin a comment, or are eaten. */
const ESCAPED = /[,:=#]/g;

/** @returns the command for a rule; without arguments `""`, which allows none (nothing at all would allow any) */
export function sudoersCommand(command: readonly [string, ...string[]]): string {
  const [path, ...args] = command;
  if (objectionToPath(path) !== undefined || args.some((argument) => objectionToWord(argument) !== undefined))
    throw new TypeError(`cannot stand in sudoers: ${JSON.stringify(command)}`);
  return [path, ...args].map((word) => word.replace(ESCAPED, "\\$&")).join(" ") + (args.length === 0 ? ' ""' : "");
}

/** Why sudo would not take a path for what it is. */
export function objectionToPath(path: string): string | undefined {
  if (!path.startsWith("/")) return "it is not an absolute path, and sudo takes no other";
  if (path.endsWith("/")) return "it ends with a slash: sudo would allow every program in that directory";
  if (/\/\.{0,2}(?:\/|$)/.test(path)) return "there is //, . or .. in it, so it is not clear which program is meant";
  return objectionToWord(path);
}

/** Why sudo would not compare a word with exactly what is called. */
export function objectionToWord(word: string): string | undefined {
  if (word === "") return "it is empty, which sudo cannot tell from no argument";
  if (/\s/.test(word)) return "there is white space in it, and sudo cannot tell one argument with a space from two";
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(word)) return "there is a control character in it";
  if (/[^\u0020-\u007e]/.test(word))
    return "there is a character beyond ASCII in it, which sudo reads by the language of whoever calls it";
  if (word.startsWith("^")) return "sudo reads what begins with ^ as a regular expression";
  const wildcard = /[*?[\]]/.exec(word)?.[0];
  if (wildcard !== undefined)
    return `${wildcard} is a wildcard for sudo: it would allow more than is written there, ../ among it`;
  const unclear = /[\\"!]/.exec(word)?.[0];
  if (unclear !== undefined) return `${unclear} means different things to different versions of sudo`;
  return undefined;
}

/** Why a whole command is too much. */
export function objectionToLength(command: readonly string[]): string | undefined {
  const { length } = command.join(" ").replace(ESCAPED, "\\$&");
  return length <= MAX_COMMAND ? undefined : `it is ${length} characters long, and sudo-rs reads ${MAX_COMMAND}`;
}
