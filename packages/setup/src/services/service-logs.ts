import type { Flavour } from "../machine.js";
import { logPath } from "./launchd-plist.js";
import { unitName } from "./systemd-unit.js";

export interface LogOptions {
  /** How many lines of what was. @default 100 */
  readonly lines?: number;
  /** Goes on with what comes. @default false */
  readonly follow?: boolean;
}

/**
 * The command that shows what an agent's service has said: systemd keeps it in the journal, launchd in a file.
 * @returns undefined where no service manager keeps logs
 */
export function logsCommand(
  agent: string,
  flavour: Flavour,
  { lines = 100, follow = false }: LogOptions = {},
): string[] | undefined {
  // Control characters stay visible: journalctl sees to that by itself.
  if (flavour.platform === "darwin")
    return ["sh", "-c", 'tail "$@" | cat -uv', "sh", "-n", String(lines), ...(follow ? ["-F"] : []), logPath(agent)];
  if (!flavour.hasSystemd) return undefined;
  return [
    "journalctl",
    "--no-pager",
    "--unit",
    unitName(agent),
    "--lines",
    String(lines),
    ...(follow ? ["--follow"] : []),
  ];
}
