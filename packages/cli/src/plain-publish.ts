import type { PublishCommandOptions } from "./publish-message.js";

/** A publish as commander would read it. */
export interface PlainPublish {
  readonly topic: string;
  readonly data: string | undefined;
  readonly options: PublishCommandOptions;
}

type Flag = "json" | "text" | "raw" | "mandatory" | "receipt";
type Value = "spool" | "group" | "to" | "id" | "type" | "subject" | "correlation";

const FLAGS: ReadonlyMap<string, Flag> = new Map([
  ["--json", "json"],
  ["--text", "text"],
  ["--raw", "raw"],
  ["--mandatory", "mandatory"],
  ["--receipt", "receipt"],
]);

const VALUES: ReadonlyMap<string, Value> = new Map([
  ["--spool", "spool"],
  ["--group", "group"],
  ["--to", "to"],
  ["--id", "id"],
  ["--type", "type"],
  ["--subject", "subject"],
  ["--correlation", "correlation"],
]);

/**
 * Reads the usual `publish TOPIC DATA` without commander, which takes as long to load and to ask as the publish itself.
 * @returns undefined for whatever could mean anything else, or be wrong: commander decides those, and says what is wrong
 */
export function readPlainPublish(argv: readonly string[]): PlainPublish | undefined {
  if (argv[0] !== "publish") return undefined;
  const operands: string[] = [];
  const options: { [flag in Flag]?: true } & { [value in Value]?: string } = {};
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const flag = FLAGS.get(word);
    const name = VALUES.get(word);
    if (flag !== undefined) options[flag] = true;
    else if (name !== undefined) {
      const value = argv[++i];
      if (!isPlain(value)) return undefined;
      options[name] = value;
    } else if (isPlain(word)) operands.push(word);
    else return undefined;
  }
  const [topic, data, ...excess] = operands;
  return topic === undefined || excess.length > 0 ? undefined : { topic, data, options };
}

function isPlain(word: string | undefined): word is string {
  return word !== undefined && word !== "" && !word.startsWith("-");
}
