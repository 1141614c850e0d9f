import { octal, shellQuote } from "@agentbus/core";
import type { AgentCheck } from "../check.js";
import type { Trouble } from "../finding.js";
import { asAccount, closeToOthers, giveFileInHome } from "../mend.js";

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
      if (file.uid !== account.uid) return trouble("is not its own", giveFileInHome(path, account));
      if ((file.mode & 0o077) === 0) return [];
      return trouble("is open to others", asAccount(name, closeToOthers(path)));
    },
  },
];
