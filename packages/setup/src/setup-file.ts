import { basename, resolve } from "node:path";
import { BusError, shellQuote } from "@agentbus/core";
import { getNodeValue, type Node } from "jsonc-parser";
import { complaintsAboutMeaning } from "./file/meaning.js";
import { placeOf, pointerText, type Complaint } from "./file/complaint.js";
import { complaintOf } from "./file/schema-complaint.js";
import { parseStrictly } from "./file/parse.js";
import { readBoundedText } from "./file/read.js";
import { withDefaults, type RawSetup } from "./file/defaults.js";
import { validateSetup } from "./generated/validators.js";
import type { Setup } from "./setup.js";

export const SETUP_FILE = "agentbus.json";
const MAX_SETUP_BYTES = 1024 * 1024;
const MAX_COMPLAINTS = 10;

/**
 * Reads agentbus.json. It must be strict JSON without a name given twice, satisfy schemas/setup.schema.json, and make sense:
 * groups that exist in it, names that the system does not use, rules that fit together.
 * @throws BusError ERR_SETUP_FILE, whose message names line, column and path in the file of all that is wrong
 */
export function readSetupFile(path: string): Setup {
  const absolute = resolve(path);
  return parseSetup(readBoundedText(absolute, MAX_SETUP_BYTES), absolute);
}

/** The same for a text that was read already. @param path where it comes from, for messages */
export function parseSetup(text: string, path: string): Setup {
  if (text.trim() === "") {
    throw new BusError("ERR_SETUP_FILE", `cannot use ${path}: it is empty`, {
      path,
      fix: `rm ${shellQuote(path)}; agentbus setup new codebot reviewer --file ${shellQuote(path)}`,
    });
  }
  const { root, complaints } = parseStrictly(text);
  if (root === undefined || complaints.length > 0) throw refusal(path, text, complaints);
  const value: unknown = getNodeValue(root);
  if (!validateSetup(value)) throw refusal(path, text, schemaComplaints(root));
  const raw = value as RawSetup;
  const senseless = complaintsAboutMeaning(raw, root);
  if (senseless.length > 0) throw refusal(path, text, senseless);
  return withDefaults(raw, path);
}

/** One complaint for each place: where a value fits none of several forms, the schema has something to say about each. */
function schemaComplaints(root: Node): Complaint[] {
  const byPlace = new Map<string, Complaint>();
  for (const violation of validateSetup.errors ?? []) {
    const complaint = complaintOf(violation, root);
    if (complaint !== undefined && !byPlace.has(complaint.at.join("/"))) byPlace.set(complaint.at.join("/"), complaint);
  }
  return [...byPlace.values()];
}

function refusal(path: string, text: string, complaints: readonly Complaint[]): BusError {
  const sorted = complaints.toSorted((a, b) => a.offset - b.offset).slice(0, MAX_COMPLAINTS);
  const details = sorted.map(({ at, offset, problem, remedy }) => {
    const { line, column } = placeOf(text, offset);
    return { line, column, path: pointerText(at), problem, remedy };
  });
  const lines = details.map((each) => {
    const where = each.path === "" ? "" : ` ${each.path}:`;
    return `${basename(path)}:${each.line}:${each.column}:${where} ${each.problem}`;
  });
  const more = complaints.length > sorted.length ? [`and ${complaints.length - sorted.length} more`] : [];
  // Each on a line of its own, for a terminal.
  const several = {
    about: `cannot use ${path}`,
    faults: details.map(({ remedy }, index) => {
      const isLast = index === details.length - 1;
      return { problems: [lines[index] ?? "", ...(isLast ? more : [])], fix: remedy };
    }),
  };
  return new BusError("ERR_SETUP_FILE", `cannot use ${path}: ${[...lines, ...more].join("; ")}`, {
    path,
    fix: details.map(({ line, remedy }) => (details.length === 1 ? remedy : `line ${line}: ${remedy}`)).join("; "),
    details: { complaints: details, ...(details.length === 1 ? {} : { several }) },
  });
}
