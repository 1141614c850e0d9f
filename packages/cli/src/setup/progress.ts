import type { Moment } from "@agentbus/setup";
import { painterFor } from "../colour.js";
import { Interruption } from "../interruption.js";
import { printable, toJson } from "../printable.js";
import { say, sayAsIs } from "../words.js";

/** Says each step as it is done: on stderr, since a plan is on stdout. */
export class Progress {
  readonly #isJson: boolean;
  #interruption: Interruption | undefined;
  #total = 0;
  #count = 0;

  constructor(isJson: boolean) {
    this.#isJson = isJson;
  }

  /**
   * Somebody has said yes. From now on the first Ctrl-C ends it between two steps: what one of them has started would go on otherwise,
   * beside whatever somebody does next.
   */
  begin(total: number): void {
    this.#total = total;
    this.#interruption = new Interruption();
    this.#interruption.onFirst(() => say("ending after this step; the same command goes on from there"));
  }

  /** @throws Interrupted */
  readonly onMoment = ({ change, at }: Moment): void => {
    if (at === "begun") {
      this.#interruption?.signal.throwIfAborted();
      this.#count++;
    }
    if (at !== "done") return;
    if (this.#isJson) return sayAsIs(toJson({ done: change.id, title: change.title }));
    const number = String(this.#count).padStart(String(this.#total).length);
    sayAsIs(`${painterFor(process.stderr)("green", "✓")} ${number}/${this.#total} ${printable(change.title)}`);
  };

  close(): void {
    this.#interruption?.close();
  }
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
