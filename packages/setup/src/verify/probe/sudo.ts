import { spawnSync } from "node:child_process";

export interface SudoQuestion {
  readonly runAs: string;
  readonly command: readonly string[];
}

export interface SudoAnswer {
  readonly question: SudoQuestion;
  /** undefined when there is no sudo, or it did not answer. */
  readonly isAllowed: boolean | undefined;
  readonly output: string;
}

const SUDO_PATHS = ["/usr/bin/sudo", "/usr/local/bin/sudo", "/opt/local/bin/sudo"];
const LIMITS = { timeout: 10_000, killSignal: "SIGKILL", maxBuffer: 64 * 1024 } as const;
const REFUSED = 1;

/** Asks sudo whether it would run commands, without running them (sudo(8): `-l COMMAND`), and never for a password. */
export function askSudo(questions: readonly SudoQuestion[]): SudoAnswer[] {
  return questions.map((question) => {
    const { runAs, command } = question;
    const { status, output } = runSudo(["-n", "-l", "-u", runAs, "--", ...command]);
    return { question, isAllowed: status === 0 ? true : status === REFUSED ? false : undefined, output };
  });
}

function runSudo(args: readonly string[]): { status: number | undefined; output: string } {
  for (const path of SUDO_PATHS) {
    const { status, error, stdout, stderr } = spawnSync(path, args, {
      ...{ ...LIMITS, encoding: "latin1", stdio: ["ignore", "pipe", "pipe"], cwd: "/" },
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    });
    if (error !== undefined && "code" in error && error.code === "ENOENT") continue;
    return { status: status ?? undefined, output: `${stdout}${stderr}`.slice(0, 2_000) };
  }
  return { status: undefined, output: "there is no sudo" };
}
