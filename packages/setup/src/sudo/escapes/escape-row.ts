/** Why programs must not be run as root with what an agent could make of them. */
export interface EscapeRow {
  readonly kind: EscapeKind;
  /** Completes "do not allow /usr/bin/less: …". */
  readonly how: string;
  /** Names of programs, without versions: `python` stands for python3.11 as well. */
  readonly programs: string;
}

export type EscapeKind =
  | "shell"
  | "interpreter"
  | "runs commands"
  | "agent"
  | "editor"
  | "pager"
  | "package manager"
  | "build tool"
  | "archiver"
  | "copies files"
  | "reads files"
  | "writes files"
  | "rights"
  | "accounts"
  | "container"
  | "debugger"
  | "network"
  | "database"
  | "system";
