// Writes docs/permissions.md from the table in packages/core/src/permissions.ts; a test compares the two.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { modeIn, octal, PATHS, ruleForDirectory } from "../packages/core/dist/permissions.js";
import { rightsOf } from "../packages/core/dist/rights.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const docPath = `${root}/docs/permissions.md`;

/** Who may do something, as the page names them. */
export const PRINCIPALS = ["<user>", "sender", "member", "outsider"];

const TITLES = {
  "./": "The spool",
  subscriptions: "Subscriptions",
  queues: "Queues",
  outbox: "Outboxes",
  run: "Processes",
  pipes: "Pipes",
};

/** What the names in angle brackets stand for when a path has to be a real one. */
const SAMPLES = { user: "alice", name: "ci", token: "k3jx7q", topic: "build.done", hash: "2f4be4470a4e48b5" };

/** A path of the table with names filled in. */
export function samplePath(path) {
  return path.replace(/<([a-z]+)>/g, (_, placeholder) => SAMPLES[placeholder] ?? `some-${placeholder}`);
}

/**
 * What one of PRINCIPALS may do with a path in a group's spool: what its mode says, once all directories above let them
 * in.
 */
export function mayDo(rule, who) {
  const above = ancestorsOf(rule);
  if (!above.every((each) => rightsOf("directory", each.mode, roleOf(each, who)).includes("enter"))) return [];
  const rights = rightsOf(rule.type, rule.mode, roleOf(rule, who));
  const parent = above.at(-1);
  const isListed = parent === undefined || rightsOf("directory", parent.mode, roleOf(parent, who)).includes("list");
  return isListed ? rights : rights.map((right) => (right === "read" ? "read if it knows the name" : right));
}

/** The directories that lead to a path, the spool first. */
function ancestorsOf({ path }) {
  if (path === "./") return [];
  const segments = samplePath(path).replace(/\/$/, "").split("/").slice(0, -1);
  return ["./", ...segments.map((_, index) => `${segments.slice(0, index + 1).join("/")}/`)].map(ruleForDirectory);
}

function roleOf(rule, who) {
  if (who === "outsider") return "outsider";
  return rule.owner === who ? "owner" : "member";
}

export async function render() {
  const text = [await introduction(), overview(), ...areas().map(area)].join("\n\n");
  return format(text, { ...(await resolveConfig(docPath)), parser: "markdown" });
}

/** What no table says; kept in a file of its own, so that it can be edited as text. */
async function introduction() {
  return readFile(`${root}/scripts/permissions-doc.md`, "utf8");
}

function overview() {
  const rows = PATHS.map((rule) => `| ${["`" + rule.path + "`", ...facts(rule)].join(" | ")} |`);
  return [
    "## All paths",
    "",
    "| path | | owner | mode | in a personal spool |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function facts(rule) {
  const personal = octal(modeIn("personal", rule));
  return [rule.type, `\`${rule.owner}\``, `\`${octal(rule.mode)}\``, `\`${personal}\``];
}

function areas() {
  const names = Object.keys(TITLES);
  return names.map((name) => ({
    title: TITLES[name],
    rules: PATHS.filter(({ path }) => (names.includes(path.split("/")[0]) ? path.split("/")[0] : "./") === name),
  }));
}

function area({ title, rules }) {
  return [`## ${title}`, ...rules.map(section)].join("\n\n");
}

function section(rule) {
  const principals = PRINCIPALS.filter((who) => isOfInterest(rule, who));
  return [
    `### \`${rule.path}\``,
    `${rule.type}, \`${octal(rule.mode)}\`, owner \`${rule.owner}\`. ${rule.purpose} ${rule.why}`,
    principals.map((who) => `- ${nameOf(who, principals)}: ${mayDo(rule, who).join(", ") || "nothing"}`).join("\n"),
  ].join("\n\n");
}

/** `<user>` where the path has one, the sender where it is the owner. */
function isOfInterest(rule, who) {
  if (who === "<user>") return rule.path.includes("<user>") || rule.owner === "<user>";
  return who !== "sender" || rule.owner === "sender";
}

function nameOf(who, principals) {
  if (who === "member") return principals[0] === "member" ? "a member" : "another member";
  return { "<user>": "`<user>`", sender: "its owner", outsider: "an outsider" }[who];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(docPath, await render());
