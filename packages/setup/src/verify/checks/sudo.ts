import { shellQuote } from "@agentbus/core";
import type { Machine } from "../../machine.js";
import { sudoCheck } from "../../sudo/sudo-check.js";
import type { SudoersLine } from "../../sudo/sudoers-origins.js";
import { sudoersPath } from "../../sudo/sudoers-text.js";
import type { AgentCheck } from "../check.js";
import type { Examination, ProbedAgent } from "../examination.js";
import type { Severity, Trouble } from "../finding.js";
import { applyCommand, leaveGroup } from "../mend.js";
import type { SudoQuestion } from "../probe/sudo.js";
import { takeAccess } from "../take-access.js";
import { allowedOf, untriedOf } from "../trials.js";

export const ofSudo: readonly AgentCheck[] = [
  {
    id: "sudo-as-written",
    sentence: "sudo knows exactly the rules of the file for it, and hands on nothing of its environment",
    async ofAgent(agent, examination) {
      const { machine, setup } = examination;
      if (machine.flavour.sudo === "none") return undefined;
      const check = await sudoCheck(machine, agent.wish, await groupNamesOf(agent, machine));
      if (check === undefined) return [notListed(agent)];
      const { grants, missing, weakSettings, objections } = check;
      const trouble = (severity: Severity, message: string, evidence: string, fix: string): Trouble => ({
        ...{ severity, agent: agent.name, message, evidence, fix },
      });
      const asked = `sudo -n -l -l -U ${agent.name}`;
      const surplus = grants.filter(({ isPolicy }) => !isPolicy);
      const extra = surplus.map(async ({ command, runAs }) => {
        const message = `sudo lets ${agent.name} run ${command} as ${runAs}, of which the file says nothing`;
        return trouble("error", message, `${asked} lists it`, await takeRule(agent, command, examination));
      });
      return [
        ...(await Promise.all(extra)),
        ...missing.map(({ command }) => {
          const message = `sudo does not let ${agent.name} run ${command.join(" ")}, as the file says`;
          return trouble("warning", message, `${asked} does not list it`, applyCommand(setup));
        }),
        ...weakSettings.map((setting) => {
          const message = `sudo hands on to root what ${agent.name} says, or keeps no record of it: ${setting}`;
          return trouble("warning", message, `${asked} lists this setting`, applyCommand(setup));
        }),
        ...objections.map(({ command, problem, remedy }) =>
          trouble(
            "error",
            `${command.join(" ")} is no safe rule: ${problem}`,
            "looked at the program of the rule",
            remedy,
          ),
        ),
      ];
    },
  },
  {
    id: "sudo-nothing-more",
    sentence: "sudo refuses it everything else: shells, other arguments, and becoming a human",
    async ofAgent(agent, examination) {
      const { machine, humans, agents } = examination;
      if (machine.flavour.sudo === "none") return undefined;
      const others = [...humans, ...agents].map(({ name }) => name).filter((name) => name !== agent.name);
      const answers = await agent.probe.run("askSudo", questionsBeyond(agent, others));
      const allowed = answers.filter(({ isAllowed }) => isAllowed === true);
      const unanswered = answers.filter(({ isAllowed }) => isAllowed === undefined);
      if (allowed.length === 0) {
        return unanswered.length === 0 ? [] : [notAnswered(agent, unanswered[0]?.output ?? "")];
      }
      return [
        {
          severity: "error",
          agent: agent.name,
          message: `sudo gives ${agent.name} more than the file`,
          evidence: `sudo -n -l said yes to ${allowed.map(({ question }) => textOf(question)).join(", ")}`,
          fix: await takeRule(agent, undefined, examination),
        },
      ];
    },
  },
  {
    id: "sudo-commands-unwritable",
    sentence: "it cannot change a program that sudo lets it run, nor a directory above it",
    async ofAgent(agent, { machine }) {
      const { name, wish, probe } = agent;
      if (wish.sudo.length === 0) return undefined;
      const paths = new Set(wish.sudo.flatMap(({ command: [path] }) => [path, ...ancestorsOf(path)]));
      const attempts = await probe.run("tryWriting", [...paths]);
      const troubles = allowedOf(attempts).map(async ({ path }): Promise<Trouble> => ({
        severity: "error",
        agent: name,
        message: `${name} can change what it runs as root: ${path}`,
        evidence: `the kernel lets it write to ${path}`,
        fix: await takeAccess(path, "w", agent, machine),
      }));
      return [...(await Promise.all(troubles)), ...untriedOf(attempts, name)];
    },
  },
  {
    id: "doas-unknown",
    sentence: "doas, where it is installed, has no rule for it",
    async ofAgent({ name, gids }, { machine }) {
      const paths = ["/etc/doas.conf", "/usr/local/etc/doas.conf", "/opt/local/etc/doas.conf"];
      const groups = (await machine.groups()).filter(({ gid }) => gids.includes(gid)).map((group) => `:${group.name}`);
      return paths.flatMap((path) => {
        const lines = (machine.read(path) ?? "").split("\n").filter((line) => /^\s*permit\b/.test(line));
        const hit = lines.filter((line) => line.split(/\s+/).some((word) => word === name || groups.includes(word)));
        return hit.map((line): Trouble => ({
          severity: "error",
          agent: name,
          message: `doas lets ${name} act as another account`,
          evidence: `${path} says: ${line.trim()}`,
          fix: `sed -i -e ${shellQuote(`/^${line.replaceAll(/[^A-Za-z0-9 _]/g, ".")}$/d`)} ${path}`,
        }));
      });
    },
  },
];

/** What a rule must not be stretched to, and what no rule gives; what the file allows is not asked. */
function questionsBeyond({ wish }: ProbedAgent, others: readonly string[]): SudoQuestion[] {
  const rules = wish.sudo.map(({ command }) => command.join(" "));
  const stretched = wish.sudo.flatMap(({ command, runAs }) => [
    { runAs, command: [...command, "--agentbus-verify"] },
    ...(command.length > 1 ? [{ runAs, command: command.slice(0, -1) }] : []),
  ]);
  const shells = [
    ["/bin/sh"],
    ["/bin/bash"],
    ["/usr/bin/env"],
    ["/usr/bin/id"],
    ["/bin/cat", "/etc/shadow"],
    ["/usr/bin/su"],
  ];
  return [
    ...stretched,
    ...shells.map((command) => ({ runAs: "root", command })),
    ...others.map((runAs) => ({ runAs, command: ["/bin/sh"] })),
  ].filter(({ command }) => !rules.includes(command.join(" ")));
}

function textOf({ runAs, command }: SudoQuestion): string {
  return `${command.join(" ")} (as ${runAs})`;
}

/** What takes a rule away that the file does not know: the line, or the group that it is for. */
async function takeRule(
  agent: ProbedAgent,
  command: string | undefined,
  { machine, setup }: Examination,
): Promise<string> {
  const { name, wish } = agent;
  const groups = await groupNamesOf(agent, machine);
  const { origins = [], grants = [] } = (await sudoCheck(machine, wish, groups)) ?? {};
  const surplus = grants.filter(({ isPolicy }) => !isPolicy).map((grant) => grant.command);
  const programs = (command === undefined ? surplus : [command]).flatMap((each) => each.split(" ", 1));
  const line = origins.find(({ allows }) => allows.split(/[\s,:]+/).some((word) => programs.includes(word)));
  if (line === undefined) {
    const words = [...programs, name].map((word) => `-e ${shellQuote(word)}`).join(" ");
    return `grep -rn ${words} /etc/sudoers /etc/sudoers.d`;
  }
  if (line.path === sudoersPath(name, machine.flavour.platform)) return applyCommand(setup);
  const group = groups.find((each) => line.text.startsWith(`%${each} `));
  if (group !== undefined && group !== name && !wish.groups.includes(group)) {
    return leaveGroup(machine.flavour, name, group);
  }
  const edit = editOf(line, agent.name);
  if (edit === undefined) return `visudo -f ${shellQuote(line.path)}`;
  return `sed -i -e ${shellQuote(edit)} ${shellQuote(line.path)} && visudo -c`;
}

/**
 * What sed does to a line that gives an account too much: deletes it, or the account from those for whom it is, since others may need it.
 * undefined: that is for a person to decide. By its words, not by its number, which changes when another line goes.
 */
function editOf({ text, subjects, accounts, isOneLine }: SudoersLine, name: string): string | undefined {
  const [first, ...others] = subjects;
  if (!isOneLine || first === undefined) return undefined;
  const address = `/^[[:space:]]*${text.replaceAll(/[^A-Za-z0-9 _]/g, ".")}[[:space:]]*$/`;
  if (others.length === 0) return accounts.length === 1 ? `${address}d` : undefined;
  if (first === name) return `${address}s/^\\([[:space:]]*\\)${name}[[:space:]]*,[[:space:]]*/\\1/`;
  return subjects.includes(name) ? `${address}s/[[:space:]]*,[[:space:]]*${name}\\([[:space:],]\\)/\\1/` : undefined;
}

async function groupNamesOf({ gids }: ProbedAgent, machine: Machine): Promise<string[]> {
  return (await machine.groups()).filter(({ gid }) => gids.includes(gid)).map(({ name }) => name);
}

function notListed({ name }: ProbedAgent): Trouble {
  return {
    severity: "warning",
    agent: name,
    message: `it is not known what sudo lets ${name} do`,
    evidence: `sudo -n -l -l -U ${name} gave no list`,
    fix: `sudo -ll -U ${shellQuote(name)}`,
  };
}

function notAnswered({ name }: ProbedAgent, output: string): Trouble {
  return {
    severity: "warning",
    agent: name,
    message: `sudo could not be tried as ${name}`,
    evidence: `sudo -n -l answered: ${output.trim().split("\n")[0] ?? ""}`,
    fix: "visudo -c",
  };
}

/** "/usr/bin", "/usr", "/" */
function ancestorsOf(path: string): string[] {
  const parent = path.slice(0, Math.max(1, path.lastIndexOf("/")));
  return parent === path ? [] : parent === "/" ? ["/"] : [parent, ...ancestorsOf(parent)];
}
