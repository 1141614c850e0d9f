import type { Origin } from "../ledger.js";
import type { Machine, RunResult } from "../machine.js";
import { script, AGENT_TIMEOUT_MS } from "./as-agent.js";
import { oldGitValue, oldHomeDirectory, oldHomeFile, type TakenOver } from "./old-values.js";
import { GIT_CONFIG, SHELL_FILES, XDG_GIT_CONFIG } from "./home-files.js";
import type { PlannedAgent } from "./planning.js";

/** More than that is no name and no e-mail address, and is not kept in the ledger. */
const MAX_GIT_VALUE = 1_000;

/** What is in a home that was there before setup, as its account sees it, for the ledger. Each is asked for right before a step that changes it. */
export interface OldHome {
  readonly shellFiles: () => Promise<Origin[]>;
  readonly environmentFile: () => Promise<Origin[]>;
  readonly git: () => Promise<Origin[]>;
}

/** Runs something as the account, in its home. */
type Ask = (argv: readonly string[]) => Promise<Pick<RunResult, "status" | "stdout">>;

/** What asking ends with where there is no home: git says the same of a value that it does not have. */
const NOTHING_THERE = { status: 1, stdout: "" } as const;

/** Nothing where the account is setup's own, or there is no root to look as it. */
export function oldHome(machine: Machine, { agent, account, takenOver }: PlannedAgent): OldHome {
  const none = () => Promise.resolve([]);
  if (takenOver === undefined || machine.access !== "root")
    return { shellFiles: none, environmentFile: none, git: none };
  const isMissing = machine.stat(account.home) === undefined;
  const ask = isMissing ? () => Promise.resolve(NOTHING_THERE) : asking(machine, takenOver);
  return {
    shellFiles: () => oldFiles(ask, takenOver, SHELL_FILES),
    environmentFile: () => oldEnvironment(ask, takenOver, agent.environmentFile),
    git: async () => {
      if (agent.git === undefined) return [];
      const { name, email } = agent.git;
      const others = [
        ...(await oldFiles(ask, takenOver, [XDG_GIT_CONFIG])),
        ...(await oldDirectories(ask, takenOver, XDG_GIT_CONFIG)),
      ];
      return [
        ...(await oldFiles(ask, takenOver, [GIT_CONFIG])),
        // git never makes those.
        ...others.filter(({ how }) => how !== "made"),
        ...(await oldGit(ask, takenOver, "user.name", name)),
        ...(await oldGit(ask, takenOver, "user.email", email)),
      ];
    },
  };
}

function asking(machine: Machine, { name }: TakenOver): Ask {
  return async (argv) => {
    const account = await machine.user(name);
    if (account === undefined) return { status: 127, stdout: "" };
    return machine.run(argv, { as: account, timeoutMs: AGENT_TIMEOUT_MS });
  };
}

async function oldFiles(ask: Ask, owner: TakenOver, paths: readonly string[]): Promise<Origin[]> {
  const found = await look(ask, paths);
  return paths.flatMap((path, index) => (found === undefined ? [] : [oldHomeFile(owner, path, found[index])]));
}

/** With the time, so that removal can tell whether its account has written to it since. */
async function oldEnvironment(ask: Ask, owner: TakenOver, path: string): Promise<Origin[]> {
  const found = await look(ask, [path]);
  if (found === undefined) return [];
  const before = found[0] === undefined ? undefined : `${found[0]} ${new Date().toISOString()}`;
  return [...(await oldDirectories(ask, owner, path)), oldHomeFile(owner, path, before)];
}

/** Those above a file that are missing, or that are links. */
async function oldDirectories(ask: Ask, owner: TakenOver, path: string): Promise<Origin[]> {
  const parts = path.split("/");
  const directories = parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join("/"));
  const found = (await look(ask, directories)) ?? [];
  return found.flatMap((before, index) => {
    const directory = directories[index] ?? "";
    return before === undefined || before === "link" ? [oldHomeDirectory(owner, directory, before)] : [];
  });
}

async function oldGit(ask: Ask, owner: TakenOver, key: string, now: string): Promise<Origin[]> {
  const { status, stdout } = await ask(script(['git config --global -z --get "$1"'], key));
  const value = stdout.replace(/\0$/, "");
  // 1: there is none. Others: nobody can say.
  if (status === 1) return [oldGitValue(owner, key, undefined, now)];
  const isFit = status === 0 && value.length <= MAX_GIT_VALUE && !value.includes("\0");
  return isFit ? [oldGitValue(owner, key, value, now)] : [];
}

/** The first ten letters of ls -l are type and mode everywhere; stat(1) is another on each system. */
const LOOK = [
  "for path; do",
  '  if test -e "./$path" || test -L "./$path"; then ls -ld "./$path" | cut -c 1-10; else echo absent; fi',
  "done",
];

/** "0644", "link", or undefined for what is not there. undefined for all: its account could not be asked. */
async function look(ask: Ask, paths: readonly string[]): Promise<(string | undefined)[] | undefined> {
  if (paths.length === 0) return [];
  const answer = await ask(script(LOOK, ...paths));
  if (answer === NOTHING_THERE) return paths.map(() => undefined);
  const { status, stdout } = answer;
  const lines = stdout.trim().split("\n");
  if (status !== 0 || lines.length !== paths.length) return undefined;
  return lines.map((line) => (line === "absent" ? undefined : line.startsWith("l") ? "link" : modeOf(line)));
}

/** "-rw-r--r--" → "0644" */
function modeOf(letters: string): string {
  const bits = Array.from(letters.slice(1), (letter) => (/[rwxst]/.test(letter) ? 1 : 0));
  const [setuid, setgid, sticky] = [3, 6, 9].map((index) => (/[sStT]/.test(letters[index] ?? "") ? 1 : 0));
  return [[setuid, setgid, sticky], bits.slice(0, 3), bits.slice(3, 6), bits.slice(6, 9)]
    .map((three) => Number.parseInt(three.join(""), 2).toString(8))
    .join("");
}
