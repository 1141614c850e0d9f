import { READ_LINES } from "../services/environment-loader.js";
import type { AgentSetup } from "../setup.js";

/** What setup writes in a home: known to apply, which writes it, and to removal, which takes it out of a home that stays. */
export const SHELL_FILES = [".profile", ".bashrc", ".zshenv"] as const;
export const GIT_CONFIG = ".gitconfig";
/** Where git writes to instead if there is that one, and no other. */
export const XDG_GIT_CONFIG = ".config/git/config";

export const BEGIN = "# >>> agentbus >>>";
export const END = "# <<< agentbus <<<";

/** A file is written under this name beside its place, and renamed into it. */
export const DRAFT_SUFFIX = ".agentbus-draft";

/** The block of shell files, without a line break at its end. */
export function shellBlock({ umask, environmentFile }: Pick<AgentSetup, "umask" | "environmentFile">): string {
  return [
    BEGIN,
    "# agentbus setup keeps this block as it is.",
    `umask ${umask.toString(8).padStart(3, "0")}`,
    `if [ -r "$HOME/${environmentFile}" ]; then`,
    ...READ_LINES.map((line, index) => (index === 0 ? `  ${line}` : `    ${line.replace(/;$/, "")}`)),
    `  done < "$HOME/${environmentFile}"`,
    "  unset _line _name _value",
    "fi",
    END,
  ].join("\n");
}

/**
 * Whether somebody's block is as setup has written it, with whatever umask and environment file. A version that writes another block has to
 * know this one as well.
 */
export function isShellBlock(text: string): boolean {
  const [, umask = "", environmentFile = ""] =
    /^umask ([0-7]{3,4})\nif \[ -r "\$HOME\/(.+)" \]; then$/m.exec(text) ?? [];
  return text === shellBlock({ umask: Number.parseInt(umask, 8), environmentFile });
}

/** An environment file as setup makes it, with its line break. */
export function emptyEnvironment(agent: string): string {
  return `# API keys and the like of ${agent}, as NAME=value lines.\n`;
}
