import type { Moment } from "@agentbus/setup";
import { painterFor } from "../colour.js";
import { printable, toJson } from "../printable.js";
import { say, sayAsIs } from "../words.js";

/** Says each step as it is done: on stderr, since a plan is on stdout. */
export function progress(total: number, isJson: boolean): (moment: Moment) => void {
  const paint = painterFor(process.stderr);
  const width = String(total).length;
  let count = 0;
  return ({ change, at }) => {
    if (at === "begun") count++;
    if (at !== "done") return;
    if (isJson) sayAsIs(toJson({ done: change.id, title: change.title }));
    else sayAsIs(`${paint("green", "✓")} ${String(count).padStart(width)}/${total} ${printable(change.title)}`);
  };
}

export function sayFailure(message: string, fix: string | undefined): void {
  const paint = painterFor(process.stderr);
  sayAsIs(`${paint("red", "✗")} ${printable(message)}`);
  if (fix !== undefined) say(`  fix: ${fix}`);
}

/** What runs this command again, for the steps that do. */
export function ownCommand(): string[] {
  return [process.execPath, process.argv[1] ?? "agentbus"];
}
