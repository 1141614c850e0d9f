import type { Command } from "commander";
import { applyAction, type ApplyCliOptions } from "../setup/apply.js";
import { addAction, newAction, type NewOptions } from "../setup/write-file.js";
import { giveBackAction, inboxAction, listAction, logsAction, sessionAction, sudoCheckAction } from "../setup/look.js";
import { planAction, type PlanCliOptions } from "../setup/plan.js";
import { removeAction, type RemoveCliOptions } from "../setup/remove.js";
import { probeAction, verifyAction } from "../setup/verify.js";
import { parseWhole } from "../values.js";
import type { GlobalOptions } from "../program.js";

const EXAMPLES = `
One file, agentbus.json, says which accounts agents have, in which groups, and what
they may do. FILE is another than ./agentbus.json. docs/setup.md explains it.

Examples:
  agentbus setup new codebot reviewer       write a first agentbus.json
  agentbus setup plan                       what would change, as exact commands
  sudo agentbus setup apply                 show that, ask, and do it
  sudo agentbus setup verify                try to break the isolation, as each agent
  sudo agentbus setup run codebot -- id     run a command as an agent
  sudo agentbus setup remove --all          take everything away again`;

export function setupCommand(program: Command): Command {
  const setup = program
    .command("setup")
    .description("Give each agent a Unix account of its own, show that it isolates, and take it away again.")
    .usage("[options] new|add|plan|apply|verify|remove|list|shell|run|logs|sudo-check")
    .enablePositionalOptions()
    .addHelpText("after", EXAMPLES);
  writing(setup);
  changing(setup);
  looking(setup);
  return setup;
}

function writing(setup: Command): void {
  setup
    .command("new")
    .description("Write a first agentbus.json, for these agents and the group agents (--group: another).")
    .argument("<agent...>", "names of the agents")
    .option("--human <name>", "the person who shares the bus with them; by default you")
    .option("--file <path>", "where to write it", "agentbus.json")
    .action((agents: string[], _: unknown, command: Command) =>
      newAction(agents, command.optsWithGlobals<NewOptions & GlobalOptions>()),
    );
  setup
    .command("add")
    .description("Add one agent to agentbus.json, and apply it.")
    .argument("<agent>", "its name")
    .option("--file <path>", "the file", "agentbus.json")
    .option("-y, --yes", "do not ask")
    .action((agent: string, _: unknown, command: Command) =>
      addAction(agent, command.optsWithGlobals<NewOptions & ApplyCliOptions & GlobalOptions>()),
    );
}

function changing(setup: Command): void {
  setup
    .command("plan")
    .description("Show what apply would do, in order, as exact commands and differences of files. Changes nothing.")
    .argument("[file]", "the file", "agentbus.json")
    .option("--format <format>", "text, or sh: a script to be run as root", "text")
    .option("--platform <platform>", "linux, alpine or darwin: a plan for a fresh machine of that kind")
    .option("--adopt <name>", "take over an account or group that is there already; may be repeated", collect)
    .action((file: string, _: unknown, command: Command) =>
      planAction(file, command.optsWithGlobals<PlanCliOptions & GlobalOptions>()),
    );
  setup
    .command("apply")
    .description("Make the machine what the file says: show the plan, ask, and do it. Run again, it changes nothing.")
    .argument("[file]", "the file", "agentbus.json")
    .option("-y, --yes", "do not ask")
    .option("--adopt <name>", "take over an account or group that is there already; may be repeated", collect)
    .action((file: string, _: unknown, command: Command) =>
      applyAction(file, command.optsWithGlobals<ApplyCliOptions & GlobalOptions>()),
    );
  setup
    .command("verify")
    .description("Try, as each agent, what it must not be able to do, and what it must. Exit code 1 on a finding.")
    .argument("[file]", "the file", "agentbus.json")
    .action((file: string, _: unknown, command: Command) =>
      verifyAction(file, command.optsWithGlobals<GlobalOptions>()),
    );
  setup
    .command("remove")
    .description("Take agents away again, or everything that setup has made; run again, it finishes what it could not.")
    .argument("[agent...]", "names of agents")
    .option("--all", "all agents, their groups, spools and settings")
    .option("--home <fate>", "archive (for root alone), delete or keep the homes", "archive")
    .option("--file <path>", "the file that they are taken out of", "agentbus.json")
    .option("-y, --yes", "do not ask")
    .action((agents: string[], _: unknown, command: Command) =>
      removeAction(agents, command.optsWithGlobals<RemoveCliOptions & GlobalOptions>()),
    );
}

function looking(setup: Command): void {
  setup
    .command("list")
    .description("List the agents that setup has made, with their groups and processes.")
    .action((_: unknown, command: Command) => listAction(command.optsWithGlobals<GlobalOptions>()));
  setup
    .command("shell")
    .description("Log in as an agent, with a clean environment.")
    .argument("<agent>", "its name")
    .action((agent: string) => sessionAction(agent, []));
  setup
    .command("run")
    .description("Run a command as an agent, in its home, with a clean environment.")
    .usage("AGENT -- COMMAND [ARGUMENT...]")
    .argument("<agent>", "its name")
    .argument("<command...>", "what to run")
    .passThroughOptions()
    .action((agent: string, command: string[]) => sessionAction(agent, command));
  setup
    .command("logs")
    .description("Show what an agent's service has printed.")
    .argument("<agent>", "its name")
    .option("-f, --follow", "go on as more comes")
    .option("-n, --lines <count>", "how many of the last lines", parseWhole(1, 1_000_000), 100)
    .action((agent: string, _: unknown, command: Command) =>
      logsAction(agent, command.optsWithGlobals<{ follow?: boolean; lines: number }>()),
    );
  setup
    .command("sudo-check")
    .description("List what an agent may do as root, and how that was checked.")
    .argument("<agent>", "its name")
    .argument("[file]", "the file", "agentbus.json")
    .action((agent: string, file: string, _: unknown, command: Command) =>
      sudoCheckAction(agent, file, command.optsWithGlobals<GlobalOptions>()),
    );
  setup
    .command("inbox", { hidden: true })
    .description("Make an account's inbox in a group's spool, as that account. A step of apply.")
    .argument("<account>", "its name")
    .action((account: string, _: unknown, command: Command) =>
      inboxAction(account, command.optsWithGlobals<GlobalOptions>()),
    );
  setup
    .command("give-back", { hidden: true })
    .description("Take out of the home of an account that was taken over what setup has put there. A step of remove.")
    .argument("<account>", "its name")
    .action((account: string) => giveBackAction(account));
  setup
    .command("probe", { hidden: true })
    .description("Become an account for good, and try what verify asks for.")
    .argument("<account>", "its name")
    .argument("<uid>", "its uid")
    .argument("<gid>", "its main group's gid")
    .action((account: string, uid: string, gid: string) => probeAction(account, uid, gid));
}

function collect(name: string, names: readonly string[] = []): readonly string[] {
  return [...names, name];
}
