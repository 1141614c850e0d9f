import { findNodeAtLocation, type Node } from "jsonc-parser";
import type { SchemaViolation } from "../generated/validators.js";
import { complain, type Complaint } from "./complaint.js";

/** What the schema found, in words. undefined: another violation says it better. */
export function complaintOf(violation: SchemaViolation, root: Node): Complaint | undefined {
  const { keyword, params, instancePath, propertyName } = violation;
  const at = pathOf(instancePath, root);
  if (at.at(-1) === "lifecycle" && ["type", "const", "anyOf"].includes(keyword)) return neitherOfTwo(root, at);
  switch (keyword) {
    case "additionalProperties": {
      const name = String(params["additionalProperty"]);
      const meant = nearest(name, knownNames(at));
      const remedy = meant === undefined ? `remove it; known are ${knownNames(at).join(", ")}` : `write "${meant}"`;
      return complain(root, [...at, name], "there is no such setting", remedy, "name");
    }
    case "required": {
      const name = String(params["missingProperty"]);
      return complain(root, at, `"${name}" is missing`, `add "${name}": ${EXAMPLES[name] ?? "…"}`);
    }
    case "propertyNames":
      return undefined;
    case "const":
      return complain(root, at, "not a version that this agentbus knows", 'write "version": 1');
    case "pattern":
      return propertyName === undefined ? badPattern(root, at) : badName(root, at, propertyName);
    default:
      return complain(root, at, problemOf(violation), remedyFor(violation));
  }
}

/** Of an object that is wrong within, what is wrong there says more. */
function neitherOfTwo(root: Node, at: readonly (string | number)[]): Complaint | undefined {
  const isService = findNodeAtLocation(root, [...at, "service"])?.type === "object";
  const remedy = 'write "login" or { "service": { "command": ["/usr/bin/node", "agent.js"] } }';
  return isService ? undefined : complain(root, at, "it is neither login nor a service", remedy);
}

/** A JSON Pointer (RFC 6901); a number is an index where it leads into an array. */
function pathOf(pointer: string, root: Node): (string | number)[] {
  const steps = pointer.split("/").slice(1);
  const path: (string | number)[] = [];
  let node: Node | undefined = root;
  for (const step of steps) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    const isIndex: boolean = node?.type === "array";
    path.push(isIndex ? Number(name) : name);
    node = isIndex
      ? node?.children?.[Number(name)]
      : node?.children?.find(({ children }) => children?.[0]?.value === name)?.children?.[1];
  }
  return path;
}

const EXAMPLES: Readonly<Record<string, string>> = {
  version: "1",
  groups: '["agents"]',
  agents: '{ "codebot": { "groups": ["agents"] } }',
  command: '["/usr/bin/node", "agent.js"]',
  name: '"codebot"',
  email: '"codebot@example.org"',
};

function badName(root: Node, at: readonly (string | number)[], name: string): Complaint {
  const meant = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[-0-9]+|-+$/g, "")
    .slice(0, 31);
  return complain(
    root,
    [...at, name],
    `${JSON.stringify(name)} cannot be a name: small letters, digits and hyphens, beginning with a letter, at most 31`,
    meant === "" ? 'choose another, such as "codebot"' : `write "${meant}"`,
    "name",
  );
}

/** Which field, what it should be. */
const FORMS: readonly (readonly [RegExp, string, string])[] = [
  [/^umask$/, "a umask as a string of octal digits that leaves others nothing", 'write "027" (or "077")'],
  [/^homeMode$/, "a mode as a string of octal digits that leaves others nothing", 'write "0700" (or "0750")'],
  [/^environmentFile$/, "a path within the home, relative to it", 'write ".config/agentbus/env"'],
  [/^(?:memory|fileSize)$/, "a size with a unit", 'write "512M" or "2G"'],
  [/^cpu$/, "a percentage of one core", 'write "150%" for one and a half'],
  [/^(?:shell|workingDirectory|command)$/, "an absolute path without . or ..", 'write a path such as "/usr/bin/node"'],
  [/^email$/, "an e-mail address", 'write "codebot@example.org"'],
  [/^name$/, "one line without < and >", 'write "codebot"'],
  [/^groups$/, "the name of a group of this file", 'write "agents"'],
  [/^runAs$/, "the name of an account", 'write "root"'],
];

function badPattern(root: Node, at: readonly (string | number)[]): Complaint {
  const field = String(at.findLast((step) => typeof step === "string"));
  const isArgument = field === "command" && at.at(-1) !== 0;
  const form = isArgument
    ? (["", "one line without control characters", "write the argument as it is, one to a string"] as const)
    : FORMS.find(([pattern]) => pattern.test(field));
  return complain(
    root,
    at,
    `it is not ${form?.[1] ?? "of the right form"}`,
    form?.[2] ?? "see schemas/setup.schema.json",
  );
}

/** What ajv says is for whoever knows schemas. */
function problemOf({ keyword, params, message = "it is wrong" }: SchemaViolation): string {
  const limit = String(params["limit"]);
  switch (keyword) {
    case "type":
      return `it is not ${kindOf(params)}`;
    case "enum":
      return "it is none of the values that there are";
    case "minimum":
      return `it is less than ${limit}`;
    case "maximum":
      return `it is more than ${limit}`;
    case "minItems":
      return params["limit"] === 1 ? "it is empty" : `it has fewer than ${limit} entries`;
    case "minProperties":
      return params["limit"] === 1 ? "it is empty" : `it has fewer than ${limit} entries`;
    case "maxItems":
    case "maxProperties":
      return `it has more than ${limit} entries`;
    case "minLength":
      return params["limit"] === 1 ? "it is empty" : `it is shorter than ${limit} characters`;
    case "maxLength":
      return `it is longer than ${limit} characters`;
    default:
      return message;
  }
}

function remedyFor({ keyword, params }: SchemaViolation): string {
  if (keyword === "type") return `write ${kindOf(params)}`;
  if (/^min(?:Items|Properties|Length)$/.test(keyword) && params["limit"] === 1) return "put something into it";
  if (keyword === "enum")
    return `write one of ${(params["allowedValues"] as string[]).map((each) => `"${each}"`).join(", ")}`;
  if (typeof params["limit"] === "number") return `keep to the limit of ${params["limit"]}`;
  return "see schemas/setup.schema.json";
}

/** In JSON's terms, as people say them. */
const KINDS: Readonly<Record<string, string>> = {
  integer: "a whole number",
  boolean: "true or false",
  string: "a text in double quotes",
  object: "an object: { … }",
  array: "a list: [ … ]",
};

function kindOf(params: Record<string, unknown>): string {
  const type = String(params["type"]);
  return KINDS[type] ?? `a ${type}`;
}

const AT_TOP = ["version", "humans", "groups", "agents", "power"];
const OF_AGENT = [
  "groups",
  "shell",
  "umask",
  "homeMode",
  "environmentFile",
  "git",
  "limits",
  "lifecycle",
  "sudo",
  "channels",
];
/** The names that an object has, by its place. */
const KNOWN: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^$/, AT_TOP],
  [/^humans\/[^/]+$/, ["groups"]],
  [/^groups\/[^/]+$/, ["limits"]],
  [/^groups\/[^/]+\/limits$/, ["maxEnvelopeBytes", "maxHops", "maxBacklog"]],
  [/^agents\/[^/]+$/, OF_AGENT],
  [/^power$/, ["stayAwake", "lidClosed"]],
  [/\/git$/, ["name", "email"]],
  [/\/limits$/, ["memory", "cpu", "tasks", "files", "fileSize"]],
  [/\/lifecycle$/, ["service"]],
  [/\/service$/, ["command", "workingDirectory", "restart", "profile"]],
  [/\/sudo\/[0-9]+$/, ["command", "runAs"]],
  [/\/channels$/, ["sockets", "pipes"]],
];

function knownNames(at: readonly (string | number)[]): readonly string[] {
  return KNOWN.find(([pattern]) => pattern.test(at.join("/")))?.[1] ?? [];
}

/** The known name that is at most two letters away. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((each) => ({ each, distance: distance(name.toLowerCase(), each.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= 2 ? best.each : undefined;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
