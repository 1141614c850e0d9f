/**
 * The types of validators.js, which the build compiles from schemas/. A validator keeps what was wrong with the value
 * that it last refused in `errors`; read it before the next call.
 */
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
}

export declare const validateEnvelope: Validator;
export declare const validateSpool: Validator;
export declare const validateSubscription: Validator;
export declare const validatePresence: Validator;
export declare const validateChannels: Validator;
export declare const validateReason: Validator;
export declare const validatePrivateRecord: Validator;
