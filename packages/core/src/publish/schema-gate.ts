import type { Envelope } from "../envelope.js";
import { BusError } from "../errors.js";
import type { TopicSchemas } from "../topic-schemas.js";

/** Lets an envelope pass whose data its topic's schema allows. While a schema loads, nothing overtakes what waits for it. */
export class SchemaGate {
  readonly #schemas: TopicSchemas;
  /** Set while a publish waits for its topic's schema to load. */
  #preparing: Promise<void> | undefined;

  constructor(schemas: TopicSchemas) {
    this.#schemas = schemas;
  }

  /** Nobody waits before it. */
  get isOpen(): boolean {
    return this.#preparing === undefined;
  }

  /** @param text the envelope's @returns a promise when a schema has to load, here or before it @throws BusError ERR_SCHEMA … */
  pass(envelope: Envelope, text: string): Promise<void> | void {
    const schemas = this.#schemas;
    // What the receivers will read is what counts: a Date is a string by then, and undefined properties are gone.
    const isChecked = schemas.knows(envelope.topic);
    const checked = isChecked ? schemas.check(envelope.topic, (JSON.parse(text) as Envelope).data) : undefined;
    if (!(checked instanceof Promise) && this.#preparing === undefined) return refuse(envelope, checked);
    const turn = this.#preparing ?? Promise.resolve();
    const mine = turn.then(() => checked);
    const settled: Promise<void> = mine.then(noop, noop).then(() => {
      if (this.#preparing === settled) this.#preparing = undefined;
    });
    this.#preparing = settled;
    return mine.then((violations) => refuse(envelope, violations));
  }

  /** Resolves when everybody who waits has passed, or was refused. */
  async whenOpen(): Promise<void> {
    await this.#preparing;
  }
}

function refuse(envelope: Envelope, violations: readonly string[] | undefined): void {
  if (violations === undefined) return;
  throw new BusError("ERR_SCHEMA", `cannot publish to ${envelope.topic}: ${violations.join("; ")}`, {
    fix: `see schemas/${envelope.topic}.schema.json in the spool`,
    details: { violations },
  });
}

function noop(): void {}
