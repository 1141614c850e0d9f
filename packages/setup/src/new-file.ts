import { applyEdits, modify, parse } from "jsonc-parser";
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

/** The text without an agent; the same when it is not in it. */
export function withoutAgent(text: string, name: string): string {
  return applyEdits(text, modify(text, ["agents", name], undefined, {}));
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

function requireNames(names: readonly string[]): void {
  for (const name of names) {
    const objection = objectionTo(name);
    if (objection === undefined) continue;
    throw new BusError("ERR_SETUP_FILE", `cannot use the name ${JSON.stringify(name)}: ${objection}`, {
      fix: 'choose a name of small letters, digits and hyphens that nothing else has, such as "codebot"',
    });
  }
}
