import { octal } from "@agentbus/core";
import type { Flavour } from "../machine.js";
import type { Action, ManagedFile } from "./change.js";
import { quoteWord } from "./shell-word.js";

/** A step as one line of shell, for people and in messages; a file's text is left out. */
export function commandText(action: Action, flavour?: Flavour): string {
  switch (action.kind) {
    case "run":
      return action.as === undefined ? words(action.argv) : asAgent(action.as, action.argv, flavour);
    case "write":
      return `write ${action.file.path}, ${ownership(action.file, flavour)} ${octal(action.file.mode)}`;
    case "mode": {
      const path = quoteWord(action.path);
      const owner = action.group === undefined ? action.owner : `${action.owner}:${action.group}`;
      return [
        `chown ${owner} ${path}`,
        ...(action.mode === undefined ? [] : [`chmod ${octal(action.mode)} ${path}`]),
      ].join(" && ");
    }
    case "remove":
      return `rm ${quoteWord(action.path)}`;
    case "kill":
      return `while pkill -KILL -U ${action.uid}; do :; done`;
    case "note":
      return "only the ledger notes it";
  }
}

/** With that agent's environment and nothing of ours. */
function asAgent(
  { name, home }: { readonly name: string; readonly home: string },
  argv: readonly string[],
  flavour: Flavour | undefined,
): string {
  const inside = `env -i HOME=${quoteWord(home)} PATH="$PATH" ${words(argv)}`;
  if (flavour?.platform === "darwin") return `sudo -n -H -u ${name} ${inside}`;
  if (flavour?.accountTools === "busybox") return `su -s /bin/sh ${name} -c ${quoteWord(inside)}`;
  return `runuser -u ${name} -- ${inside}`;
}

export function words(argv: readonly string[]): string {
  return argv.map(quoteWord).join(" ");
}

export function ownership(
  { owner = "root", group }: Pick<ManagedFile, "owner" | "group">,
  flavour: Flavour | undefined,
): string {
  return `${owner}:${group ?? flavour?.rootGroup ?? "root"}`;
}
