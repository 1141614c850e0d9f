import type { Machine } from "../machine.js";
import { octal } from "@agentbus/core";
import { moveAway } from "../own-command.js";
import { requireRootsDirectories, UnsafePath } from "../system/root-file.js";
import { script, succeeds, unseen } from "./as-agent.js";
import type { Change } from "./change.js";
import { BEGIN, DRAFT_SUFFIX, emptyEnvironment, END, SHELL_FILES, shellBlock } from "./home-files.js";
import { oldHome } from "./old-home.js";
import { homeMade, oldHome as oldHomeItself } from "./old-values.js";
import { quoteWord } from "./shell-word.js";
import type { PlannedAgent, Planning } from "./planning.js";

/** A home: its mode by root, without following anything; what is in it, as the agent. */
export async function planHome(planning: Planning, planned: PlannedAgent): Promise<void> {
  const { machine, changes, notes } = planning;
  const homely = homeItself(planning, planned);
  if (homely === undefined) return;
  changes.push(...homely);
  const before = oldHome(machine, planned);
  for (const [change, remember] of [
    [shellFiles(machine, planned), before.shellFiles],
    [environmentFile(machine, planned), before.environmentFile],
    ...gitIdentity(machine, planned).map((each) => [each, before.git] as const),
  ] as const) {
    if (!(await change.hasTakenEffect(machine))) changes.push({ ...change, remembers: await remember() });
  }
  if (planned.agent.git !== undefined && machine.which("git") === undefined)
    notes.push(
      `git is not installed: ${planned.agent.name} gets its name and e-mail address when it is, by another apply`,
    );
}

/** undefined: it cannot be used, and a conflict says why. */
function homeItself(
  { machine, conflicts }: Planning,
  { agent, account, exists, takenOver }: PlannedAgent,
): Change[] | undefined {
  const { name, homeMode } = agent;
  const { home, uid, gid } = account;
  const stat = machine.stat(home);
  const hasTakenEffect = (on: Machine) => {
    const now = on.stat(home);
    const isRight =
      now?.isDirectory() === true && now.uid === uid && now.gid === gid && (now.mode & 0o7777) === homeMode;
    return Promise.resolve(isRight);
  };
  // useradd makes it with its mode; busybox and macOS make it with one of theirs.
  if (stat === undefined && !exists) return machine.flavour.accountTools === "shadow" ? [] : [setMode()];
  if (stat === undefined) return [makeHome()];
  const problem = homeObjection(machine, home, stat, uid);
  if (problem !== undefined) {
    conflicts.push({ id: `${name}/home`, problem, fix: moveAway(home, machine.flavour) });
    return undefined;
  }
  if (stat.gid === gid && (stat.mode & 0o7777) === homeMode) return [];
  const remembers = takenOver === undefined ? [] : oldHomeItself(takenOver, stat, { mode: homeMode, gid });
  return [{ ...setMode(octal(stat.mode)), remembers }];

  function setMode(before?: string): Change {
    return {
      id: `${name}/home-mode`,
      title: `give ${home} mode ${octal(homeMode)}${before === undefined ? "" : `, not ${before}`}`,
      action: { kind: "mode", path: home, owner: name, group: name, mode: homeMode },
      hasTakenEffect,
    };
  }

  function makeHome(): Change {
    return {
      id: `${name}/home`,
      title: `make the home ${home}`,
      action: {
        kind: "run",
        argv: ["install", "-d", "-m", octal(homeMode), "-o", String(uid), "-g", String(gid), home],
      },
      remembers: takenOver === undefined ? [] : [homeMade(takenOver)],
      hasTakenEffect,
    };
  }
}

function homeObjection(
  { access }: Machine,
  home: string,
  stat: { isSymbolicLink(): boolean; isDirectory(): boolean; readonly uid: number },
  uid: number,
): string | undefined {
  if (stat.isSymbolicLink()) return `${home} is a symbolic link`;
  if (!stat.isDirectory()) return `${home} is no directory`;
  if (stat.uid !== uid) return `${home} belongs to uid ${stat.uid}, not to uid ${uid}`;
  // Nothing of a pretended one is on this disk.
  if (access === "pretended") return undefined;
  try {
    requireRootsDirectories(home);
    return undefined;
  } catch (error) {
    if (error instanceof UnsafePath) return `${error.message}, so ${home} could be exchanged`;
    throw error;
  }
}

/** Whether a file's block is exactly this; also nothing but a file is looked at, since a FIFO would hold up whoever opens it. */
const CHECK_BLOCK = [
  "block=$1; shift",
  "for file; do",
  '  test -f "$file"',
  `  found=$(sed -n '/^${BEGIN}$/,/^${END}$/p' "$file")`,
  '  test "$found" = "$block"',
  "done",
];

/** One within another, or the end before the beginning, and sed would take what is between for ours. */
const IN_PAIRS = [
  `awk -v b='${BEGIN}' -v e='${END}'`,
  "'$0 == b { bad += inside; inside = 1 } $0 == e { bad += !inside; inside = 0 } END { exit (bad + inside > 0) }'",
].join(" ");

/**
 * At the beginning, because many a .bashrc returns early; where the file is a link, what it leads to is written. Beside its place first: on a
 * disk that is full, what was in the file is still there.
 */
const WRITE_BLOCK = [
  "block=$1; shift",
  "for file; do",
  '  if test -e "$file" && test ! -f "$file"; then echo "$HOME/$file is no file" >&2; exit 1; fi',
  '  touch "$file"; chmod u+rw "$file"',
  `  if ! ${IN_PAIRS} "$file"; then`,
  `    echo "$HOME/$file has a line '${BEGIN}' without its '${END}'" >&2; exit 1`,
  "  fi",
  `  draft="$file${DRAFT_SUFFIX}"; rm -f "$draft"; cp -p "$file" "$draft"`,
  `  { printf '%s\\n' "$block"; if grep -q '^${BEGIN}$' "$file"; then sed '/^${BEGIN}$/,/^${END}$/d' "$file"; else cat "$file"; fi; } > "$draft"`,
  '  if test -L "$file"; then cat "$draft" > "$file"; rm -f "$draft"; else mv -f "$draft" "$file"; fi',
  "done",
];

function shellFiles(machine: Machine, planned: PlannedAgent): Change {
  const { name, umask } = planned.agent;
  const block = shellBlock(planned.agent);
  const inShort = [
    `+++ ${SHELL_FILES.join(" ")} (at the beginning of each)`,
    ...block.split("\n").map((line) => `+${line}`),
  ];
  return {
    id: `${name}/shell-files`,
    title: `set umask ${umask.toString(8).padStart(3, "0")} in ${SHELL_FILES.join(", ")} of ${name}`,
    action: {
      kind: "run",
      as: { name, home: planned.account.home },
      argv: script(WRITE_BLOCK, block, ...SHELL_FILES),
      inShort,
    },
    ...unseen(machine, planned),
    hasTakenEffect: (on) => succeeds(on, name, script(CHECK_BLOCK, block, ...SHELL_FILES)),
  };
}

/** The first ten letters of ls -l are its type and mode everywhere; stat(1) is another on each system. */
const CHECK_ENVIRONMENT = ['test "$(ls -ld "$1" | cut -c 1-10)" = "-rw-------"'];

const MAKE_ENVIRONMENT = [
  'mkdir -p "$(dirname "$1")"',
  'if test -L "$1" || { test -e "$1" && test ! -f "$1"; }; then echo "$HOME/$1 is no file" >&2; exit 1; fi',
  'test -e "$1" || printf %s "$2" > "$1"',
  'chmod 0600 "$1"',
];

function environmentFile(machine: Machine, planned: PlannedAgent): Change {
  const { name, environmentFile: path } = planned.agent;
  const [text, place] = [emptyEnvironment(name), quoteWord(path)];
  const written = `echo ${quoteWord(text.replace(/\n$/, ""))} > ${place}`;
  const inShort = [`$ mkdir -p "$(dirname ${place})" && { [ -e ${place} ] || ${written}; } && chmod 0600 ${place}`];
  return {
    id: `${name}/environment`,
    title: `make ~${name}/${path} for its API keys, mode 0600`,
    action: {
      kind: "run",
      as: { name, home: planned.account.home },
      argv: script(MAKE_ENVIRONMENT, path, text),
      inShort,
    },
    ...unseen(machine, planned),
    hasTakenEffect: (on) => succeeds(on, name, script(CHECK_ENVIRONMENT, path)),
  };
}

/** Where git keeps what is of one account; git would wait for a FIFO there, as long as nobody writes to it. */
const REQUIRE_GIT_FILES = [
  "for file in .gitconfig .config/git/config; do",
  '  if test -e "$file" && test ! -f "$file"; then echo "$HOME/$file is no file" >&2; exit 1; fi',
  "done",
];

function gitIdentity(machine: Machine, planned: PlannedAgent): Change[] {
  const { name, git } = planned.agent;
  if (git === undefined || machine.which("git") === undefined) return [];
  const check = [
    ...REQUIRE_GIT_FILES,
    'test "$(git config --global --get user.name)" = "$1"',
    'test "$(git config --global --get user.email)" = "$2"',
  ];
  const inShort = [
    `$ git config --global user.name ${quoteWord(git.name)}`,
    `$ git config --global user.email ${quoteWord(git.email)}`,
  ];
  const write = [...REQUIRE_GIT_FILES, 'git config --global user.name "$1"', 'git config --global user.email "$2"'];
  return [
    {
      id: `${name}/git`,
      title: `commits of ${name} are by ${git.name} <${git.email}>`,
      action: {
        kind: "run",
        as: { name, home: planned.account.home },
        argv: script(write, git.name, git.email),
        inShort,
      },
      ...unseen(machine, planned),
      hasTakenEffect: (on) => succeeds(on, name, script(check, git.name, git.email)),
    },
  ];
}
