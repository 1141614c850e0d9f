/** A loop for sh, bash and zsh, without its `done`: what is read is taken literally, nothing in it is run. */
export const READ_LINES = [
  'while IFS= read -r _line || [ -n "$_line" ]; do',
  "case $_line in [A-Za-z_]*=*) _name=${_line%%=*} _value=${_line#*=};; *) continue;; esac;",
  "case $_name in *[!A-Za-z0-9_]*|UID|EUID|PPID|OPTIND|IFS|SHELLOPTS|BASHOPTS|BASH_*|_name|_value|_line) continue;; esac;",
  `case $_value in \\"*\\"|"'"*"'") _value=\${_value#?} _value=\${_value%?};; esac;`,
  'export "$_name=$_value";',
] as const;

/**
 * Starts a command with what an agent's environment file says, read by the agent itself: systemd's `EnvironmentFile=` is opened by
 * root, which follows a link that the agent puts there and hands it NAME=value lines of files that only root may read.
 *
 * Lines are NAME=value, taken literally but for one pair of quotes around the value; nothing in it is run or expanded. They are
 * exported, not arguments of env(1), where ps would show the keys for a moment. What a shell keeps read-only is left out.
 */
const LOADER = [`[ -r "$1" ] && ${READ_LINES.join(" ")} done <"$1";`, 'shift; exec "$@"'].join(" ");

/** @param environmentPath absolute; it need not be there @param command an absolute path, and arguments */
export function withEnvironment(environmentPath: string, command: readonly string[]): string[] {
  return ["/bin/sh", "-c", LOADER, "agentbus-environment", environmentPath, ...command];
}
