/**
 * What the names in `cur/` and `retry/` say, so that nothing else has to be written when a message moves:
 *
 * - `cur/<attempt>~<user>~<consumer>~<file>`: this attempt, by this consumer;
 * - `retry/<due, 13 digits of ms since 1970>~<attempts so far>~<file>`;
 *
 * where `<file>` is a message file in its place in the order, under a random part that its consumer chose when it took it, or
 * `<message>.<index>.own`, one envelope of a file of several.
 */
export interface CurName {
  readonly attempt: number;
  readonly user: string;
  readonly consumer: string;
  readonly file: string;
}

export interface RetryName {
  readonly dueMs: number;
  readonly attempts: number;
  readonly file: string;
}

const FILE = "[0-9]-[0-9A-HJKMNP-TV-Z]{26}-[a-z2-7]{26}(?:\\.jsonl?|\\.\\d{6}\\.own)";
const CUR = new RegExp(`^(\\d{1,6})~([A-Za-z0-9_][A-Za-z0-9._-]{0,63})~([a-z0-9-]{1,64})~(${FILE})$`);
const RETRY = new RegExp(`^(\\d{13})~(\\d{1,6})~(${FILE})$`);
const LAST_DUE_MS = 9_999_999_999_999;

/** Due at once, and handled alone: it was in work when its consumer died, and may be what killed it. */
export const SUSPECT_DUE_MS = 0;

export function curName({ attempt, user, consumer, file }: CurName): string {
  return `${attempt}~${user}~${consumer}~${file}`;
}

export function parseCurName(name: string): CurName | undefined {
  const [, attempt, user, consumer, file] = CUR.exec(name) ?? [];
  if (attempt === undefined || user === undefined || consumer === undefined || file === undefined) return undefined;
  return { attempt: Number(attempt), user, consumer, file };
}

export function retryName({ dueMs, attempts, file }: RetryName): string {
  return `${String(Math.min(Math.round(dueMs), LAST_DUE_MS)).padStart(13, "0")}~${attempts}~${file}`;
}

export function parseRetryName(name: string): RetryName | undefined {
  const [, dueMs, attempts, file] = RETRY.exec(name) ?? [];
  if (dueMs === undefined || attempts === undefined || file === undefined) return undefined;
  return { dueMs: Number(dueMs), attempts: Number(attempts), file };
}

/** One envelope of a file of several, once it goes its own way; sorts as the envelopes stood in the file. */
export function ownFile(file: string, index: number): string {
  return `${file.replace(/\.jsonl?$/, "")}.${String(index).padStart(6, "0")}.own`;
}

/** The same for a file and for what has left it. */
export function stemOf(file: string): string {
  return file.slice(0, file.indexOf("."));
}

/** A record in `retry/` that is not there yet for consumers. @param name as it will be called */
export function hiddenOwnFile(name: string): string {
  return `.${name}`;
}

/** What a hidden record is about; undefined unless it is one of this message file's envelopes. */
export function parseHiddenOwnFile(entry: string, file: string): { name: string; index: number } | undefined {
  const name = entry.slice(1);
  const index = Number(/\.(\d{6})\.own$/.exec(name)?.[1]);
  const isOurs = entry.startsWith(".") && parseRetryName(name)?.file === ownFile(file, index);
  return isOurs ? { name, index } : undefined;
}

export function isOwnFile(file: string): boolean {
  return file.endsWith(".own");
}
