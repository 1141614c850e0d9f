import type { Node } from "jsonc-parser";
import { objectionTo } from "../names.js";
import { lintSudoRule } from "../sudo/lint-rule.js";
import { complain, type Complaint } from "./complaint.js";
import { DEFAULTS, type RawSetup } from "./defaults.js";

/** What the schema cannot say: names that the system uses, groups that are not there, things that exclude each other. */
export function complaintsAboutMeaning(raw: RawSetup, root: Node): Complaint[] {
  const { humans = {}, groups, agents } = raw;
  const complaints: Complaint[] = [];
  for (const [kind, names] of [
    ["groups", Object.keys(groups)],
    ["agents", Object.keys(agents)],
  ] as const) {
    for (const name of names) {
      const objection = objectionTo(name);
      if (objection !== undefined)
        complaints.push(
          complain(
            root,
            [kind, name],
            `${kind === "groups" ? "a group" : "an agent"} cannot be called ${name}: ${objection}`,
            "choose another name",
            "name",
          ),
        );
    }
  }
  for (const name of Object.keys(agents)) {
    if (Object.hasOwn(groups, name))
      complaints.push(
        complain(
          root,
          ["agents", name],
          `${name} is a group too: each agent has a group of its own, by its name`,
          "give one of the two another name",
          "name",
        ),
      );
    if (Object.hasOwn(humans, name))
      complaints.push(
        complain(root, ["agents", name], `${name} is a human too`, "give the agent another name", "name"),
      );
  }
  if (Object.hasOwn(humans, "root"))
    complaints.push(complain(root, ["humans", "root"], "root may use every spool anyway", "remove it", "name"));
  for (const [kind, members] of [
    ["humans", humans],
    ["agents", agents],
  ] as const) {
    for (const [name, { groups: wanted }] of Object.entries(members)) {
      complaints.push(...complaintsAboutGroups(root, [kind, name, "groups"], wanted, groups));
    }
  }
  for (const [name, agent] of Object.entries(agents)) {
    const { lifecycle, sudo = [] } = agent;
    complaints.push(...complaintsAboutSudo(root, name, sudo));
    const profile = typeof lifecycle === "object" ? lifecycle.service.profile : undefined;
    if (profile === "hardened" && sudo.length > 0)
      complaints.push(
        complain(
          root,
          ["agents", name, "lifecycle", "service", "profile"],
          "hardening takes sudo away, and there are sudo rules",
          'write "sudo", or remove the rules',
        ),
      );
  }
  return complaints;
}

function complaintsAboutGroups(
  root: Node,
  at: readonly (string | number)[],
  wanted: readonly string[],
  groups: Readonly<Record<string, unknown>>,
): Complaint[] {
  return wanted.flatMap((group, index) => {
    if (wanted.indexOf(group) < index) return [complain(root, [...at, index], `${group} is there twice`, "remove one")];
    if (Object.hasOwn(groups, group)) return [];
    const known = Object.keys(groups).join(", ");
    return [
      complain(
        root,
        [...at, index],
        `there is no group ${group} in this file`,
        `add it to "groups", or choose of ${known}`,
      ),
    ];
  });
}

function complaintsAboutSudo(root: Node, agent: string, rules: RawRules): Complaint[] {
  return rules.flatMap(({ command, runAs = DEFAULTS.runAs }, index) =>
    lintSudoRule({ command, runAs }).map(({ word, problem, remedy }) => {
      const at = word === undefined ? ["runAs"] : ["command", word];
      return complain(root, ["agents", agent, "sudo", index, ...at], problem, remedy);
    }),
  );
}

type RawRules = NonNullable<RawSetup["agents"][string]["sudo"]>;
