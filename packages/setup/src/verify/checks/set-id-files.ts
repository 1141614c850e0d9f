import { basename } from "node:path";
import { shellQuote } from "@agentbus/core";
import { SPOOLS_DIR } from "../../spool-place.js";
import { escapeOf } from "../../sudo/escape-list.js";
import type { MachineCheck } from "../check.js";
import type { Examination } from "../examination.js";
import type { Trouble } from "../finding.js";
import { asAccount, literal } from "../mend.js";
import { SEARCH_WITHIN_MS, searchFiles, SHARED_DIRS } from "../search-files.js";

const MAX_NAMED = 20;

export const setIdFiles: MachineCheck = {
  id: "setuid-files-absent",
  sentence:
    "no setuid or setgid program lies where agents can put one, and none that they can start is a shell or the like",
  async ofMachine(examination) {
    const { machine } = examination;
    const { found, isComplete } = await searchFiles(examination, SET_ID);
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
};

const SET_ID = ["-type", "f", "(", "-perm", "-4000", "-o", "-perm", "-2000", ")"];
/** Where everybody finds programs. */
const PROGRAM_DIRS = "/usr/bin /usr/sbin /usr/local/bin /usr/local/sbin /usr/local /usr/libexec /bin /sbin /opt".split(
  " ",
);
/** What distributions make setuid or setgid, and what sees for itself to what whoever starts it may do. */
const MEANT: ReadonlySet<string> = new Set(
  `
  su sudo sudoedit sudo-rs su-rs doas pkexec newgrp newrole sg passwd chsh chfn gpasswd chage expiry userhelper
  login ksu mount umount fusermount fusermount3 mount.nfs mount.cifs mount.ecryptfs_private ntfs-3g newuidmap newgidmap bwrap firejail snap-confine pppd usernetctl
  ping ping6 arping traceroute6.iputils mtr-packet crontab at batch exim exim4 sendmail procmail dotlockfile mail-lock
  ssh-agent ssh-keysign wall write bsd-write locate mlocate plocate screen chrome-sandbox VBoxHeadless dumpcap staprun Xorg Xorg.wrap
`
    .trim()
    .split(/\s+/),
);

/** Of the programs that act as their owner or its group, those that do whatever they are told, and that an agent can start. */
async function setIdShells(examination: Examination): Promise<Trouble[]> {
  // Where one directory is in another, what is in it is found twice.
  const { found } = await searchFiles(examination, SET_ID, PROGRAM_DIRS);
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

/** From where only root can change anything, so that no link on the way leads elsewhere. */
function removalFrom(path: string, { agents }: Examination): string {
  const starts = [...SHARED_DIRS, SPOOLS_DIR, ...agents.map(({ account }) => account.home)];
  const start = starts.find((dir) => path.startsWith(`${dir}/`)) ?? "/tmp";
  return `find -P ${shellQuote(start)} -xdev -type f -path ${shellQuote(literal(path))} -delete`;
}

function notSearched({ agents }: Examination): Trouble {
  return {
    severity: "warning",
    message: `not all homes and shared directories could be searched within ${SEARCH_WITHIN_MS / 1_000} s`,
    evidence: "find did not finish",
    fix: `find ${agents.map(({ account }) => shellQuote(account.home)).join(" ")} -xdev -type f -perm -4000 -ls`,
  };
}
