import { shellQuote } from "@agentbus/core";
import type { AgentCheck } from "../check.js";
import type { Trouble } from "../finding.js";
import { asAccount } from "../mend.js";
import { quietly, searchFiles, SHARED_DIRS } from "../search-files.js";

export const ofWaysAround: readonly AgentCheck[] = [
  {
    id: "sockets-in-the-spool-only",
    sentence: "it cannot connect to a socket that somebody left in a directory for all",
    async ofAgent({ name, account, probe }, examination) {
      const { found } = await searchFiles(
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

function job(name: string, what: string, path: string, fix: string): Trouble {
  return { severity: "warning", agent: name, message: `${name} has ${what}`, evidence: `${path} is there`, fix };
}
