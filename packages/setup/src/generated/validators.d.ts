/** The type of validators.js, which the build compiles from schemas/setup.schema.json. */
export interface Validator {
  (value: unknown): boolean;
  errors?: readonly SchemaViolation[] | null;
}

export interface SchemaViolation {
  /** A JSON Pointer to the offending value, "" for the whole. */
  instancePath: string;
  schemaPath: string;
  keyword: string;
  params: Record<string, unknown>;
  message?: string;
  /** For `propertyNames`, the name that is meant. */
  propertyName?: string;
}

export declare const validateSetup: Validator;
