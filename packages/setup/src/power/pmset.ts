/** Settings of one power source as `pmset -g custom` shows them: { sleep: "1", womp: "1" }. */
export type PowerSettings = Readonly<Record<string, string>>;

/** By power source: -c with a cable, -b from the battery, -u from a UPS (pmset(1)). */
export type SourceFlag = "-c" | "-b" | "-u";

const SOURCES: Readonly<Record<string, SourceFlag>> = { "AC Power": "-c", "Battery Power": "-b", "UPS Power": "-u" };

/** What keeps a Mac awake and reachable, and lets it come back after a power cut. */
export const AWAKE: PowerSettings = {
  sleep: "0",
  disksleep: "0",
  powernap: "0",
  autorestart: "1",
  womp: "1",
  ttyskeepawake: "1",
};

/** Reads `pmset -g custom`. A value may have a remark in brackets behind it, such as what keeps it awake just now. */
export function parsePmset(text: string): ReadonlyMap<SourceFlag, PowerSettings> {
  const sources = new Map<SourceFlag, Record<string, string>>();
  let current: Record<string, string> | undefined;
  for (const line of text.split("\n")) {
    const [, heading] = /^(\S.*?):\s*$/.exec(line) ?? [];
    if (heading !== undefined) {
      const flag = SOURCES[heading];
      current = flag === undefined ? undefined : {};
      if (flag !== undefined && current !== undefined) sources.set(flag, current);
    }
    const [, name, value] = /^\s+([a-z]+)\s+(\d+)\b/.exec(line) ?? [];
    if (current !== undefined && name !== undefined && value !== undefined) current[name] = value;
  }
  return sources;
}

/** Whether `pmset -g` says that even a closed lid does not let it sleep: the only place that shows disablesleep. */
export function isSleepDisabled(text: string): boolean {
  return /^\s*SleepDisabled\s+1\b/m.test(text);
}
