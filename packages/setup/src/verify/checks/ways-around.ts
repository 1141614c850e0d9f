import { basename } from "node:path";
import { shellQuote } from "@agentbus/core";
import type { Machine } from "../../machine.js";
import type { AgentCheck, MachineCheck } from "../check.js";
import type { Examination } from "../examination.js";
import type { Trouble } from "../finding.js";
import { SPOOLS_DIR } from "../../spool-place.js";
import { escapeOf } from "../../sudo/escape-list.js";
import { asAccount, literal } from "../mend.js";

const SEARCH_WITHIN_MS = 20_000;
const MAX_NAMED = 20;

export const ofWaysAround: readonly (AgentCheck | MachineCheck)[] = [
  {
    id: "setuid-files-absent",
    sentence:
      "no setuid or setgid program lies where agents can put one, and none that they can start is a shell or the like",
    async ofMachine(examination) {
      const { machine } = examination;
      const { found, isComplete } = await search(examination, SET_ID);
      const users = await machine.users();
      const troubles = found.slice(0, MAX_NAMED).map(({ path, uid, mode }): Trouble => {
        const owner = users.find((user) => user.uid === uid)?.name ?? `uid ${uid}`;
        const strip = `chmod ug-s ${shellQuote(path)}`;
        return {
          severity: "error",
          ...(examination.agents.some(({ name }) => name === owner) ? { agent: owner } : {}),
          message: `whoever may run ${shellQuote(path)} acts as ${owner} or its group`,
          evidence: `find saw mode ${mode}, owner ${owner}`,
          fix: uid === 0 ? removalFrom(path, examination) : asAccount(owner, strip),
        };
      });
      const all = [...troubles, ...(await setIdShells(examination))];
      return isComplete ? all : [...all, notSearched(examination)];
    },
  },
  {
    id: "sockets-in-the-spool-only",
    sentence: "it cannot connect to a socket that somebody left in a directory for all",
    async ofAgent({ name, account, probe }, examination) {
      const { found } = await search(
        examination,
        ["-type", "s", "!", "-path", "*/.X11-unix/*", "!", "-path", "*/.ICE-unix/*"],
        SHARED_DIRS,
      );
      const foreign = found.filter(({ uid }) => uid !== account.uid).map(({ path }) => path);
      const attempts = await probe.run("tryWriting", foreign.slice(0, 500));
      return attempts
        .filter(({ outcome }) => outcome === "allowed")
        .map(({ path }): Trouble => ({
          severity: "warning",
          agent: name,
          message: `${name} can connect to somebody's socket ${path}`,
          evidence: `the kernel lets it write to ${path}`,
          fix: `find ${shellQuote(path)} -type s -exec chmod o-rwx {} +`,
        }));
    },
  },
  {
    id: "jobs-of-no-service",
    sentence: "it has no crontab, no at job and no lingering session, which run past its service and its limits",
    async ofAgent({ name, account }, { machine }) {
      const dirs = [
        "/var/spool/cron/crontabs",
        "/var/spool/cron",
        "/etc/crontabs",
        "/usr/lib/cron/tabs",
        "/var/at/tabs",
      ];
      const tabs = dirs.map((dir) => `${dir}/${name}`).filter((path) => quietly(() => machine.stat(path)?.isFile()));
      const jobs = ["/var/spool/cron/atjobs", "/var/spool/at", "/var/at/jobs"].flatMap((dir) =>
        (quietly(() => machine.list(dir)) ?? [])
          .map((file) => `${dir}/${file}`)
          .filter((path) => quietly(() => machine.stat(path)?.uid === account.uid && machine.stat(path)?.isFile())),
      );
      const linger = `/var/lib/systemd/linger/${name}`;
      return [
        ...tabs.map((path) => job(name, "a crontab", path, `rm ${shellQuote(path)}`)),
        ...jobs.map((path) => job(name, "an at job", path, `rm ${shellQuote(path)}`)),
        ...(quietly(() => machine.stat(linger)) === undefined
          ? []
          : [
              job(
                name,
                "a session that lingers",
                linger,
                `loginctl disable-linger ${shellQuote(name)} || rm ${shellQuote(linger)}`,
              ),
            ]),
      ];
    },
  },
  {
    id: "ssh-keys-absent",
    sentence: "nobody logs in to it over SSH with a key",
    async ofAgent({ name, account, probe }) {
      const paths = [".ssh/authorized_keys", ".ssh/authorized_keys2"].map((file) => `${account.home}/${file}`);
      const troubles: Trouble[] = [];
      for (const path of paths) {
        const file = await probe.run("lookAt", path);
        if (file === null || file.size === 0) continue;
        troubles.push({
          severity: "warning",
          agent: name,
          message: `whoever has a key of ${path} becomes ${name} from afar`,
          evidence: `it holds ${file.size} bytes`,
          fix: asAccount(name, `rm ${shellQuote(path)}`),
        });
      }
      return troubles;
    },
  },
];

/** Where everybody may put things. */
const SHARED_DIRS = ["/tmp", "/var/tmp", "/dev/shm"];

const SET_ID = ["-type", "f", "(", "-perm", "-4000", "-o", "-perm", "-2000", ")"];
/** Where everybody finds programs. */
const PROGRAM_DIRS = [
  ...[
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local",
    "/usr/libexec",
    "/bin",
    "/sbin",
    "/opt",
  ],
];
/** What distributions make setuid or setgid, and what sees for itself to what whoever starts it may do. */
const MEANT: ReadonlySet<string> = new Set([
  ...[
    "su",
    "sudo",
    "sudoedit",
    "sudo-rs",
    "su-rs",
    "doas",
    "pkexec",
    "newgrp",
    "sg",
    "passwd",
    "chsh",
    "chfn",
    "gpasswd",
    "chage",
    "expiry",
  ],
  ...[
    "mount",
    "umount",
    "fusermount",
    "fusermount3",
    "newuidmap",
    "newgidmap",
    "bwrap",
    "firejail",
    "snap-confine",
    "pppd",
  ],
  ...["ping", "ping6", "mtr-packet", "crontab", "at", "batch", "exim", "exim4", "sendmail", "procmail", "dotlockfile"],
  ...[
    "ssh-agent",
    "ssh-keysign",
    "wall",
    "write",
    "bsd-write",
    "locate",
    "mlocate",
    "plocate",
    "screen",
    "chrome-sandbox",
    "staprun",
  ],
]);

/** Of the programs that act as their owner or its group, those that do whatever they are told, and that an agent can start. */
async function setIdShells(examination: Examination): Promise<Trouble[]> {
  // Where one directory is in another, what is in it is found twice.
  const { found } = await search(examination, SET_ID, PROGRAM_DIRS);
  const users = await examination.machine.users();
  const troubles: Trouble[] = [];
  for (const { path, uid, mode } of new Map(found.map((each) => [each.path, each])).values()) {
    const escape = MEANT.has(basename(path)) ? undefined : escapeOf(path);
    if (escape === undefined) continue;
    const able: string[] = [];
    for (const { name, probe } of examination.agents) {
      if ((await probe.run("tryExecuting", path)).outcome === "allowed") able.push(name);
    }
    if (able.length === 0) continue;
    const owner = users.find((user) => user.uid === uid)?.name ?? `uid ${uid}`;
    const message = `${able.join(", ")} can act as ${owner} or its group through ${shellQuote(path)}: ${escape.how}`;
    const fix = `chmod ug-s ${shellQuote(path)}`;
    troubles.push({ severity: "error", message, evidence: `find saw mode ${mode}, owner ${owner}`, fix });
  }
  return troubles;
}

interface Found {
  readonly path: string;
  readonly uid: number;
  readonly mode: string;
}

/**
 * Root looks for files, with find(1), which never follows a link on its way and stays on the filesystem: agents may change what is under its
 * feet.
 */
async function search(
  { machine, agents }: Examination,
  test: readonly string[],
  dirs: readonly string[] = [...SHARED_DIRS, SPOOLS_DIR, ...agents.map(({ account }) => account.home)],
): Promise<{ found: Found[]; isComplete: boolean }> {
  const starts = [...new Set(dirs)].filter((dir) => quietly(() => machine.stat(dir)?.isDirectory()));
  if (starts.length === 0) return { found: [], isComplete: true };
  const { status, stdout, stderr } = await machine.run(["find", "-P", ...starts, "-xdev", ...test, "-print0"], {
    timeoutMs: SEARCH_WITHIN_MS,
  });
  const found = stdout
    .split("\0")
    .filter(Boolean)
    .flatMap((path) => look(machine, path));
  return { found, isComplete: status === 0 || (status === 1 && !/ permission /i.test(stderr)) };
}

/** From where only root can change anything, so that no link on the way leads elsewhere. */
function removalFrom(path: string, { agents }: Examination): string {
  const starts = [...SHARED_DIRS, SPOOLS_DIR, ...agents.map(({ account }) => account.home)];
  const start = starts.find((dir) => path.startsWith(`${dir}/`)) ?? "/tmp";
  return `find -P ${shellQuote(start)} -xdev -type f -path ${shellQuote(literal(path))} -delete`;
}

function look(machine: Machine, path: string): Found[] {
  const stat = quietly(() => machine.stat(path));
  return stat === undefined ? [] : [{ path, uid: stat.uid, mode: (stat.mode & 0o7777).toString(8).padStart(4, "0") }];
}

function notSearched({ agents }: Examination): Trouble {
  return {
    severity: "warning",
    message: `not all homes and shared directories could be searched within ${SEARCH_WITHIN_MS / 1_000} s`,
    evidence: "find did not finish",
    fix: `find ${agents.map(({ account }) => shellQuote(account.home)).join(" ")} -xdev -type f -perm -4000 -ls`,
  };
}

function job(name: string, what: string, path: string, fix: string): Trouble {
  return { severity: "warning", agent: name, message: `${name} has ${what}`, evidence: `${path} is there`, fix };
}

function quietly<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
