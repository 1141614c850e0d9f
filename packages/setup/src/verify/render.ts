import type { Check } from "./check.js";
import { FAMILIES } from "./checks.js";
import type { Severity, Verdict, VerifyFinding } from "./finding.js";

export interface RenderOptions {
  /** @default 100 */
  readonly columns?: number;
  /** Colours a word; @default none */
  readonly paint?: (kind: Severity | "ok", text: string) => string;
}

const LABEL_WIDTH = 9;

/**
 * The verdict as a table for people: a line for each check, and below it what it found. Sentences are wrapped, commands are not, so that
 * they can be copied.
 */
export function renderVerdict(verdict: Verdict, options: RenderOptions = {}): string[] {
  const { columns = 100, paint = (_, text) => text } = options;
  const lines: string[] = [];
  for (const { title, checks } of FAMILIES) {
    lines.push("", title);
    for (const check of checks) lines.push(...renderCheck(check, verdict, columns, paint));
  }
  const isWhole = FAMILIES.every(({ checks }) => checks.every((check) => wasTried(check, verdict)));
  return [...lines.slice(1), "", summaryOf(verdict), ...(isWhole ? [] : ["- is what there was nothing to try on"])];
}

/** One object a line for programs: the findings, then what passed. */
export function verdictRecords({ findings, passed }: Verdict): object[] {
  return [...findings, ...passed.map((each) => ({ severity: "ok", ...each }))];
}

type Paint = NonNullable<RenderOptions["paint"]>;

function wasTried({ id }: Check, { findings, passed }: Verdict): boolean {
  return [...findings, ...passed].some(({ check }) => check === id);
}

function renderCheck(check: Check, verdict: Verdict, columns: number, paint: Paint): string[] {
  const { id, sentence } = check;
  const found = verdict.findings.filter((finding) => finding.check === id);
  const worst = (["error", "warning", "info"] as const).find((kind) => found.some(({ severity }) => severity === kind));
  const label = worst === undefined ? (wasTried(check, verdict) ? "ok" : "-") : worst.toUpperCase();
  const margin = " ".repeat(LABEL_WIDTH);
  const head = wrap(`${sentence} (${id})`, columns - LABEL_WIDTH).map((line, index) =>
    index === 0 ? `${paint(worst ?? "ok", label.padEnd(LABEL_WIDTH))}${line}` : margin + line,
  );
  return [...head, ...alike(found).flatMap((group) => renderFindings(group, columns, margin))];
}

/** What is the same for several agents is told once. */
function alike(findings: readonly VerifyFinding[]): VerifyFinding[][] {
  const groups = new Map<string, VerifyFinding[]>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.severity, finding.message, finding.fix]);
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return [...groups.values()];
}

function renderFindings([first, ...others]: readonly VerifyFinding[], columns: number, margin: string): string[] {
  if (first === undefined) return [];
  const { message, fix } = first;
  const names = others.flatMap(({ agent }) => agent ?? []);
  const evidence = names.length === 0 ? first.evidence : `${first.evidence}; the same as ${names.join(", ")}`;
  const field = (name: string, text: string) =>
    wrap(text, columns - LABEL_WIDTH - 7).map(
      (line, index) => `${margin}${(index === 0 ? name : "").padEnd(7)}${line}`,
    );
  return [...field("found", message), ...field("tried", evidence), `${margin}${"fix".padEnd(7)}${printable(fix)}`];
}

function summaryOf({ agents, findings, passed }: Verdict): string {
  const count = (kind: Severity) => findings.filter(({ severity }) => severity === kind).length;
  const whom = agents.length === 1 ? "1 agent" : `${agents.length} agents`;
  return `${whom}: ${passed.length} passed, ${count("error")} errors, ${count("warning")} warnings`;
}

/** Fit for a terminal, whatever somebody put into a name. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** At spaces; a word longer than a line stays whole. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of printable(text).split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
