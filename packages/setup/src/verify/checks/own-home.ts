import { octal, shellQuote } from "@agentbus/core";
import type { AgentCheck } from "../check.js";
import type { Trouble } from "../finding.js";
import { asAccount, closeToOthers } from "../mend.js";

export const ofOwnHome: readonly AgentCheck[] = [
  {
    id: "home-as-written",
    sentence: "its home is a directory of its own, with no more rights than the file gives",
    async ofAgent({ name, wish, account }, { machine }) {
      const { home } = account;
      const stat = machine.stat(home);
      const trouble = (message: string, evidence: string, fix: string): Trouble[] => [
        { severity: "error", agent: name, message, evidence, fix },
      ];
      if (stat === undefined || !stat.isDirectory()) {
        const what = stat === undefined ? "nothing is there" : "it is no directory";
        const fix = `install -d -o ${shellQuote(name)} -g ${account.gid} -m ${octal(wish.homeMode)} ${shellQuote(home)}`;
        const away = stat === undefined ? "" : `mv ${shellQuote(home)} ${shellQuote(`${home}.old`)} && `;
        return trouble(`${name} has no home`, `looked at ${home}: ${what}`, away + fix);
      }
      if (stat.uid !== account.uid) {
        const fix = `chown ${shellQuote(name)} ${shellQuote(home)}`;
        return trouble(`the home of ${name} is not its own`, `${home} belongs to uid ${stat.uid}`, fix);
      }
      const excess = stat.mode & 0o7777 & ~wish.homeMode;
      if (excess === 0) return [];
      const fix = `chmod ${octal(wish.homeMode)} ${shellQuote(home)}`;
      const evidence = `${home} has mode ${octal(stat.mode)}, and the file says ${octal(wish.homeMode)}`;
      return trouble(`the home of ${name} gives more rights than the file`, evidence, fix);
    },
  },
  {
    id: "environment-file-closed",
    sentence: "its environment file is its own and nobody else may read it",
    async ofAgent({ name, wish, account, probe }) {
      const path = `${account.home}/${wish.environmentFile}`;
      const file = await probe.run("lookAt", path);
      if (file === null) return [];
      const trouble = (what: string, fix: string): Trouble[] => [
        {
          severity: "error",
          agent: name,
          message: `the environment file of ${name} ${what}`,
          evidence: `${path} has mode ${octal(file.mode)} and belongs to uid ${file.uid}`,
          fix,
        },
      ];
      if (file.kind !== "file")
        return trouble("is no file", asAccount(name, `mv ${shellQuote(path)} ${shellQuote(`${path}.old`)}`));
      if (file.uid !== account.uid)
        return trouble("is not its own", `chown -h ${shellQuote(name)} ${shellQuote(path)}`);
      if ((file.mode & 0o077) === 0) return [];
      return trouble("is open to others", asAccount(name, closeToOthers(path)));
    },
  },
  {
    id: "login-umask",
    sentence: "what its login shell makes is closed to others, as the file says",
    async ofAgent({ name, wish, account, probe }) {
      const { umask, failure } = await probe.run("startLoginShell", account.shell, account.home, name);
      const again = `umask ${octal(wish.umask).slice(1)}`;
      const startFile = startFileOf(account.shell);
      const fix = asAccount(
        name,
        `sh -c ${shellQuote(`echo ${again} >> ${shellQuote(`${account.home}/${startFile}`)}`)}`,
      );
      if (umask === undefined) {
        const evidence = `started ${account.shell} as a login shell: ${failure ?? "no answer"}`;
        const look = asAccount(name, `${shellQuote(account.shell)} -l -c umask`);
        return [
          { severity: "warning", agent: name, message: `the umask of ${name} is not known`, evidence, fix: look },
        ];
      }
      if ((wish.umask & ~umask) === 0) return [];
      return [
        {
          severity: "error",
          agent: name,
          message: `what ${name} makes is open to others`,
          evidence: `its login shell has the umask ${octal(umask)}, and the file says ${octal(wish.umask)}`,
          fix,
        },
      ];
    },
  },
  {
    id: "login-path-closed",
    sentence: "nobody else can put programs into the directories of its PATH",
    async ofAgent({ name, account, probe }, { agents, humans }) {
      const { path = [] } = await probe.run("startLoginShell", account.shell, account.home, name);
      const relative = path.filter((dir) => !dir.startsWith("/"));
      const dirs = [...new Set(path.filter((dir) => dir.startsWith("/")))].slice(0, 100);
      const troubles: Trouble[] = [];
      if (relative.length > 0) {
        troubles.push({
          severity: "warning",
          agent: name,
          message: `${name} runs programs of whatever directory it is in`,
          evidence: `its PATH holds ${relative.map((dir) => shellQuote(dir || "an empty entry")).join(", ")}`,
          fix: asAccount(name, `grep -n PATH ${shellQuote(`${account.home}/${startFileOf(account.shell)}`)}`),
        });
      }
      for (const other of [...agents, ...humans].filter((each) => each.name !== name)) {
        const attempts = await other.probe.run("tryWriting", dirs);
        const own = attempts.filter(({ outcome }) => outcome === "allowed").map((each) => each.path);
        const open = own.filter((dir) => !dir.startsWith(`${other.account.home}/`) || other.wish.name !== name);
        for (const dir of open) {
          troubles.push({
            severity: "error",
            agent: name,
            message: `${other.name} can put programs into the PATH of ${name}`,
            evidence: `${other.name} may write to ${shellQuote(dir)}`,
            fix: dir.startsWith(`${account.home}/`)
              ? asAccount(name, `chmod go-w ${shellQuote(dir)}`)
              : `chmod go-w ${shellQuote(dir)}`,
          });
        }
      }
      return troubles;
    },
  },
];

/** What the login shell reads last of what is the account's own. */
function startFileOf(shell: string): string {
  if (shell.endsWith("/zsh")) return ".zprofile";
  if (shell.endsWith("/fish")) return ".config/fish/config.fish";
  return ".profile";
}
