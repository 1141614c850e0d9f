import { Command } from "commander";
import { printHelp } from "./output.js";
import { VERSION } from "./version.js";

/** Adds one subcommand, whole: its arguments, options, help and action. */
export type CommandDefinition = (program: Command) => Command;

/** Each command is loaded only when it is asked for: starting fast is worth more than a short list. */
const COMMANDS: Readonly<
  Record<string, { readonly summary: string; readonly load: () => Promise<CommandDefinition> }>
> = {
  publish: {
    summary: "publish a message to a topic, or send it to an @agent",
    load: async () => (await import("./commands/publish.js")).publishCommand,
  },
  subscribe: {
    summary: "print the messages of topics, or run a command for each",
    load: async () => (await import("./commands/subscribe.js")).subscribeCommand,
  },
  unsubscribe: {
    summary: "remove a durable subscription, with what waits in it",
    load: async () => (await import("./commands/unsubscribe.js")).unsubscribeCommand,
  },
  tail: {
    summary: "look on: show messages as they pass, and take none",
    load: async () => (await import("./commands/tail.js")).tailCommand,
  },
  request: {
    summary: "ask, and print the answer",
    load: async () => (await import("./commands/request.js")).requestCommand,
  },
  respond: {
    summary: "answer requests with the output of a command",
    load: async () => (await import("./commands/respond.js")).respondCommand,
  },
  call: {
    summary: "call what an agent serves through a socket, and print the answer",
    load: async () => (await import("./commands/call.js")).callCommand,
  },
  serve: {
    summary: "serve calls through a socket with the output of a command",
    load: async () => (await import("./commands/serve.js")).serveCommand,
  },
  pipe: {
    summary: "send and receive through pipes, where a sender waits while its receiver is slow",
    load: async () => (await import("./commands/pipe.js")).pipeCommand,
  },
  status: {
    summary: "show the subscriptions, what waits in them, who consumes them, and the open channels",
    load: async () => (await import("./commands/status.js")).statusCommand,
  },
  dead: {
    summary: "list, show, retry or drop messages that could not be delivered or handled",
    load: async () => (await import("./commands/dead.js")).deadCommand,
  },
  doctor: {
    summary: "check everything that the bus depends on, and say what mends it",
    load: async () => (await import("./commands/doctor.js")).doctorCommand,
  },
  init: {
    summary: "make a spool, or put one right",
    load: async () => (await import("./commands/init.js")).initCommand,
  },
  setup: {
    summary: "give each agent an account of its own, and show that it isolates",
    load: async () => (await import("./commands/setup.js")).setupCommand,
  },
  bench: {
    summary: "measure how fast messages are on this machine",
    load: async () => (await import("./commands/bench.js")).benchCommand,
  },
};

/** What every command understands. */
export interface GlobalOptions {
  readonly spool?: string;
  readonly group?: string;
  readonly json?: boolean;
}

const OPTIONS_WITH_VALUE: ReadonlySet<string> = new Set(["--spool", "--group"]);

const EXAMPLES = `
Examples:
  agentbus subscribe '**'                          print all that is published
  agentbus publish build.done '{"commit":"4f2a"}'  publish, from another terminal
  agentbus publish @codebot '"please review"'      into one agent's inbox, running or not
  agentbus subscribe @me --exec ./handle.sh        handle your own
  agentbus status                                  who is subscribed, what waits

Which spool: --spool, --group, AGENTBUS_SPOOL, AGENTBUS_GROUP, the only group's
spool that you may use, or else your personal one, which is made when it is
first used.
Exit codes: 0 done, 1 the bus refused, 2 wrong command line, 124 timed out,
130 after Ctrl-C.`;

/** The program with the one command that `argv` names, or with all as far as the list of commands goes. */
export async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command("agentbus");
  program
    .description(
      "A message bus that is the filesystem: programs of one machine, under different accounts, exchange JSON.",
    )
    .usage("[options] COMMAND")
    .option("--spool <path>", "the spool's path")
    .option("--group <name>", "the Unix group whose spool it is")
    .option("--json", "print JSON, one object a line; an error too, on stderr")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", EXAMPLES)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeOut: printHelp });
  const wanted = commandIn(argv);
  if (wanted !== undefined) (await COMMANDS[wanted]?.load())?.(program);
  else for (const [name, { summary }] of Object.entries(COMMANDS)) program.command(name).summary(summary);
  return program;
}

/** The command that is meant: the first word that is neither an option nor an option's value; after "help" the one that follows. */
export function commandIn(argv: readonly string[]): string | undefined {
  const [word] = plainWords(argv);
  return word !== undefined && Object.hasOwn(COMMANDS, word) ? word : undefined;
}

/** With what follows it, of those that consist of several: "setup new". */
export function wholeCommandIn(argv: readonly string[]): string | undefined {
  const [command, subcommand = ""] = [commandIn(argv), plainWords(argv)[1]];
  const isOne = /^[a-z-]+$/.test(subcommand) && ["setup", "dead", "pipe"].includes(command ?? "");
  return isOne ? `${command} ${subcommand}` : command;
}

function plainWords(argv: readonly string[]): string[] {
  return argv.filter(
    (word, index) => !word.startsWith("-") && word !== "help" && !OPTIONS_WITH_VALUE.has(argv[index - 1] ?? ""),
  );
}
