import type { Ajv, ErrorObject, Options } from "ajv";
import { loadLater } from "./load-later.js";

/** What is wrong with some data, one sentence each, such as "data/commit must be string"; undefined when nothing is. */
export type Violations = readonly string[] | undefined;

export type CheckData = (data: unknown) => Violations;

const DEFAULT_DIALECT = "https://json-schema.org/draft/2020-12/schema";
const MAX_VIOLATIONS = 10;

/** As the specification has it: unknown keywords and formats are annotations, and an inherited property is none. */
const OPTIONS: Options = Object.freeze({
  strict: false,
  validateFormats: false,
  validateSchema: false, // done below, for a better message
  ownProperties: true,
  logger: false,
});

/**
 * Compiles JSON Schemas of draft-07, 2019-09 and 2020-12, as their `$schema` says. ajv is loaded only when there is one, so a
 * spool without schemas never pays for it.
 */
export class SchemaCompiler {
  /** One for each dialect, because it costs about 50 ms to prepare. */
  readonly #grammars = new Map<unknown, Promise<Grammar>>();

  /** @throws Error that says what is wrong with the schema, and where in it */
  async compile(schema: unknown): Promise<CheckData> {
    if (typeof schema === "boolean") return () => (schema ? undefined : ["data is not allowed"]);
    if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
      throw new Error("a schema is a JSON object, or true or false");
    }
    const { $schema: dialect = DEFAULT_DIALECT, ...rest } = schema as Record<string, unknown>;
    const { complaint, Compiler } = await this.#grammar(dialect);
    const wrong = complaint(rest);
    if (wrong !== undefined) throw new Error(wrong);
    // A compiler to itself: what schemas call themselves ($id) must not clash.
    const validate = new Compiler({ ...OPTIONS, meta: false }).compile(rest);
    if ("$async" in validate) throw new Error(`"$async" is not supported`);
    return (data) => (validate(data) ? undefined : sentences(validate.errors ?? []));
  }

  #grammar(dialect: unknown): Promise<Grammar> {
    let grammar = this.#grammars.get(dialect);
    if (grammar === undefined) {
      grammar = loadGrammar(dialect);
      this.#grammars.set(dialect, grammar);
      grammar.catch(() => this.#grammars.delete(dialect));
    }
    return grammar;
  }
}

interface Grammar {
  /** What is wrong with a schema by the rules for schemas. */
  readonly complaint: (schema: Record<string, unknown>) => string | undefined;
  readonly Compiler: new (options: Options) => Ajv;
}

async function loadGrammar(dialect: unknown): Promise<Grammar> {
  const Compiler = await loadCompiler(dialect);
  const ajv = new Compiler(OPTIONS);
  return {
    complaint: (schema) => {
      if (ajv.validateSchema(schema) === true) return undefined;
      const [error] = ajv.errors ?? [];
      return `#${printable(error?.instancePath ?? "")} ${error?.message ?? "is not valid"}`;
    },
    Compiler,
  };
}

async function loadCompiler(dialect: unknown): Promise<Grammar["Compiler"]> {
  switch (typeof dialect === "string" ? dialect.replace(/^http:/, "https:").replace(/#$/, "") : dialect) {
    case "https://json-schema.org/draft/2020-12/schema":
      return (await loadLater(() => import("ajv/dist/2020.js"))).Ajv2020;
    case "https://json-schema.org/draft/2019-09/schema":
      return (await loadLater(() => import("ajv/dist/2019.js"))).Ajv2019;
    case "https://json-schema.org/draft-07/schema":
      return (await loadLater(() => import("ajv"))).Ajv;
    default: {
      const found = printable(JSON.stringify(dialect));
      throw new Error(`#/$schema must be draft-07, 2019-09 or 2020-12 of JSON Schema, not ${found}`);
    }
  }
}

function sentences(errors: readonly ErrorObject[]): readonly string[] {
  return errors.slice(0, MAX_VIOLATIONS).map(({ instancePath, keyword, message = keyword, params }) => {
    return `data${printable(instancePath)} ${printable(message)}${hint(params)}`;
  });
}

/** What the sentence of ajv leaves out. */
function hint(params: Record<string, unknown>): string {
  const { additionalProperty, unevaluatedProperty, allowedValues, allowedValue } = params;
  const fact = additionalProperty ?? unevaluatedProperty ?? allowedValues ?? allowedValue;
  return fact === undefined ? "" : `: ${printable(JSON.stringify(fact))}`;
}

/** Property names are the sender's: made fit for a terminal, and not too long. */
function printable(text: string): string {
  const start = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  return start.replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
