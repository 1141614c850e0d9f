import { applyEdits, findNodeAtLocation, modify, parse, parseTree } from "jsonc-parser";
import { BusError } from "@agentbus/core";
import { objectionTo } from "./names.js";

/** Of what is in "agents". */
const INDENT = "    ";
const SCHEMA = "https://unpkg.com/@agentbus/core/dist/schemas/setup.schema.json";

export interface FirstSetup {
  readonly agents: readonly string[];
  readonly human: string | undefined;
  readonly group: string;
}

/**
 * A good first agentbus.json: who is in it, and of every agent what somebody may want to change.
 * @throws BusError ERR_SETUP_FILE for names that cannot be
 */
export function firstSetupText({ agents, human, group }: FirstSetup): string {
  requireNames([group, ...agents]);
  for (const [index, name] of agents.entries()) requireFree(name, { group, human, others: agents.slice(0, index) });
  const setup = {
    $schema: SCHEMA,
    version: 1,
    ...(human === undefined ? {} : { humans: { [human]: { groups: [group] } } }),
    groups: { [group]: {} },
    agents: Object.fromEntries(agents.map((name) => [name, firstAgent(name, [group])])),
  };
  return `${written(setup)}\n`;
}

/** The text with one agent more, and everything else as it was written. @throws BusError ERR_SETUP_FILE */
export function withAgent(text: string, name: string, groups: readonly string[] | undefined): string {
  requireNames([name]);
  const { groups: known = {} } = parse(text) as { groups?: Record<string, unknown> };
  const agent = firstAgent(name, groups ?? Object.keys(known).slice(0, 1));
  // Formatted by us: jsonc-parser would format what stands beside it as well.
  const [edit] = modify(text, ["agents", name], agent, {});
  if (edit === undefined) return text;
  const [comma, isFirst] = edit.content.startsWith(",") ? [",", false] : ["", true];
  const lines = `${JSON.stringify(name)}: ${written(agent)}`.replaceAll("\n", `\n${INDENT}`);
  const content = `${comma}\n${INDENT}${lines}${isFirst ? "\n  " : ""}`;
  return applyEdits(text, [{ ...edit, content }]);
}

/** The text without an agent, and everything else as it was written; the same when it is not in it. */
export function withoutAgent(text: string, name: string): string {
  const tree = parseTree(text);
  const agents = tree && findNodeAtLocation(tree, ["agents"]);
  const properties = agents?.children ?? [];
  const index = properties.findIndex(({ children }) => children?.[0]?.value === name);
  const property = properties[index];
  if (agents === undefined || property === undefined) return text;
  const [before, next] = [properties[index - 1], properties[index + 1]];
  const end = property.offset + property.length;
  // With it goes what stands between it and the one before; of the first, what stands between it and the next.
  const [from, to] =
    before !== undefined
      ? [before.offset + before.length, end]
      : next !== undefined
        ? [property.offset, next.offset]
        : [agents.offset + 1, agents.offset + agents.length - 1];
  return text.slice(0, from) + text.slice(to);
}

/** As people write it: a list of one name, and objects of short values, on one line. */
function written(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
    .replaceAll(/\[\s+("[^"\n]*")\s+\]/g, "[$1]")
    .replaceAll(/\{\n((?:\s+"[^"\n]+": (?:"[^"\n]*"|[0-9]+|\["[^"\n]*"\]),?\n)+)\s*\}/g, (whole, fields: string) => {
      const line = `{ ${fields.trim().replaceAll(/\n\s+/g, " ")} }`;
      return line.length <= 90 ? line : whole;
    });
}

function firstAgent(name: string, groups: readonly string[]) {
  return {
    groups,
    umask: "027",
    homeMode: "0700",
    git: { name, email: `${name}@localhost.localdomain` },
    limits: { memory: "4G", cpu: "200%", tasks: 512, files: 4096 },
    lifecycle: "login",
    sudo: [],
  };
}

/** Each agent has an account and a group of its own by its name. */
function requireFree(
  name: string,
  { group, human, others }: { group: string; human: string | undefined; others: readonly string[] },
): void {
  const objection =
    name === human
      ? "it is the human's; --human names another"
      : name === group
        ? "it is the group's, and each agent has a group of its own; --group names another"
        : others.includes(name)
          ? "it is given twice"
          : undefined;
  if (objection === undefined) return;
  throw new BusError("ERR_SETUP_FILE", `cannot use the name ${JSON.stringify(name)}: ${objection}`, {
    fix: 'choose a name that nothing else has, such as "codebot"',
  });
}

function requireNames(names: readonly string[]): void {
  for (const name of names) {
    const objection = objectionTo(name);
    if (objection === undefined) continue;
    throw new BusError("ERR_SETUP_FILE", `cannot use the name ${JSON.stringify(name)}: ${objection}`, {
      fix: 'choose a name of small letters, digits and hyphens that nothing else has, such as "codebot"',
    });
  }
}
