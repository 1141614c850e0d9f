import { isUtf8 } from "node:buffer";
import type fs from "node:fs";
import { readBounded, SYNC_READ_BYTES, UnfitFile, type BoundedFile } from "../bounded-read.js";
import type { Path } from "../file-system.js";
import { isNestedTooDeeply, MAX_NESTING } from "../nesting.js";
import { octal } from "../permissions.js";
import type { Spool } from "../spool.js";
import type { PlainLines } from "./plain-lines.js";
import type { RefusalReason } from "./refusal.js";

/** As many envelopes as a file may hold: a bound for what one file can make its receiver do. */
export const MAX_ENVELOPES_PER_FILE = 10_000;
/** A file of several envelopes may be this many times as large as one. */
const SHARED_FILE_FACTOR = 2;
const OTHERS_MAY_WRITE = 0o022;

/** An envelope as it was read, not yet judged. */
export interface LoadedEnvelope {
  /** Its line in the file, from 0. */
  readonly index: number;
  /** undefined when the line is not JSON. */
  readonly value: unknown;
  readonly raw: string;
  /** The value fits the schema of envelopes for certain. */
  readonly isFit: boolean;
}

export interface LoadedFile {
  /** The owner of the inode: who spoke. */
  readonly uid: number;
  /** When its owner last wrote to it, by the kernel's clock; nobody else can set it. In ms since 1970. */
  readonly writtenMs: number;
  readonly envelopes: readonly LoadedEnvelope[];
}

/** The whole file is unfit. */
export interface UnfitLoad {
  readonly reason: RefusalReason;
  readonly detail: string;
  readonly uid: number | undefined;
  readonly bytes: number | undefined;
  /** Something other than a regular file. */
  readonly isRegular: boolean;
}

/**
 * Reads a claimed file once. What comes after works on this copy: its sender may hold a descriptor and change the file at any time.
 * @param plain what is known of lines that came before
 * @param how `isOwn`: it is a private record of this account, which nobody else vouches for; `isStream`: each line is an
 *   envelope, and what follows the last line's end was never published
 * @throws the system's error when the file is not to blame
 */
export function loadFile(
  spool: Spool,
  path: Path,
  plain: PlainLines,
  { isOwn = false, isStream = false }: { readonly isOwn?: boolean; readonly isStream?: boolean } = {},
): LoadedFile | UnfitLoad | Promise<LoadedFile | UnfitLoad> {
  const load = (file: BoundedFile) =>
    (isOwn ? undefined : unvouched(spool, file.stat)) ?? (isStream ? linesOfStream(file, plain) : split(file, plain));
  try {
    const file = readBounded(spool.fileSystem, path, maxFileBytes(spool), SCRATCH);
    return file instanceof Promise ? file.then(load, unfitByError) : load(file);
  } catch (error) {
    return unfitByError(error);
  }
}

/** For whoever reads at the moment: nothing is kept in it. */
const SCRATCH = Buffer.allocUnsafeSlow(SYNC_READ_BYTES + 1);

/** How large a message file may be, in bytes. */
export function maxFileBytes({ limits }: Spool): number {
  return limits.maxEnvelopeBytes * SHARED_FILE_FACTOR;
}

export function isUnfit(load: LoadedFile | UnfitLoad): load is UnfitLoad {
  return "reason" in load;
}

/** What an error of reading says about the file. @throws the error when the file is not to blame */
export function unfitByError(error: unknown): UnfitLoad {
  if (!(error instanceof UnfitFile)) throw error;
  const { why, message, stat } = error;
  return {
    reason: why,
    detail: message,
    uid: stat?.uid,
    bytes: stat?.size,
    isRegular: stat?.isFile() ?? why === "unreadable",
  };
}

/**
 * The owner of a file answers for what it says only if nobody else could write it, and if it was meant for this spool. Any file
 * can be moved into a drop box by whoever may write to the directory that it is in (rename(2)), and linked by whoever may write to
 * the file itself (proc(5), `protected_hardlinks`); what is created in an outbox has the spool's group, and little else has.
 */
export function unvouched(spool: Spool, stat: fs.Stats): UnfitLoad | undefined {
  if (spool.kind !== "group") return undefined;
  const facts = { reason: "forged-source", uid: stat.uid, bytes: stat.size, isRegular: true } as const;
  if ((stat.mode & OTHERS_MAY_WRITE) !== 0)
    return { ...facts, detail: `its mode ${octal(stat.mode)} lets others than its owner write to it` };
  if (stat.gid !== spool.gid)
    return { ...facts, detail: `it was not written in an outbox: its group is ${stat.gid}, not ${spool.gid}` };
  return undefined;
}

function split({ stat, bytes }: BoundedFile, plain: PlainLines): LoadedFile | UnfitLoad {
  const common = { uid: stat.uid, bytes: bytes.length, isRegular: true };
  // Decoding would put another character in the place of what is not, without a word.
  if (!isUtf8(bytes)) return { ...common, reason: "invalid-json", detail: "it is not UTF-8" };
  const text = bytes.toString("utf8");
  const facts = { uid: stat.uid, writtenMs: stat.mtimeMs };
  const firstLine = text.slice(0, text.indexOf("\n") + 1);
  if (firstLine.length === text.length || parseLine(firstLine) === undefined) {
    if (isNestedTooDeeply(text))
      return { ...common, reason: "too-large", detail: `it is nested more than ${MAX_NESTING} levels deep` };
    const known = plain.read(text, 0, text.length);
    const single = known ?? parseEnvelope(text);
    // The usual file: one envelope, written over one line or many.
    if (single !== undefined) {
      const isFit = known !== undefined || plain.learn(text, single);
      return { ...facts, envelopes: [{ index: 0, value: single, raw: text, isFit }] };
    }
  }
  const { envelopes } = linesOf(text.endsWith("\n") ? text : `${text}\n`, 0, plain, { endsAtEmpty: false });
  if (envelopes.length > MAX_ENVELOPES_PER_FILE) {
    return {
      ...common,
      reason: "too-large",
      detail: `${envelopes.length} envelopes, at most ${MAX_ENVELOPES_PER_FILE}`,
    };
  }
  if (envelopes.every(({ value }) => value === undefined)) {
    return {
      ...common,
      reason: "invalid-json",
      detail: envelopes.length === 0 ? "the file is empty" : "it is not JSON",
    };
  }
  return { ...facts, envelopes };
}

function linesOfStream({ stat, bytes }: BoundedFile, plain: PlainLines): LoadedFile | UnfitLoad {
  const { envelopes } = completeLines(bytes, bytes.lastIndexOf(NEWLINE) + 1, 0, plain);
  if (envelopes.length <= MAX_ENVELOPES_PER_FILE && envelopes.length > 0)
    return { uid: stat.uid, writtenMs: stat.mtimeMs, envelopes };
  const facts = { uid: stat.uid, bytes: bytes.length, isRegular: true };
  if (envelopes.length === 0) return { ...facts, reason: "invalid-json", detail: "it has no whole line" };
  return { ...facts, reason: "too-large", detail: `${envelopes.length} envelopes, at most ${MAX_ENVELOPES_PER_FILE}` };
}

export const NEWLINE = 0x0a;
/** What a decoder puts in the place of what is not UTF-8, unless it stood there before. */
export const REPLACEMENT = "\ufffd";

export interface StreamLines {
  readonly envelopes: LoadedEnvelope[];
  /** An empty line came, the publisher's word that there will be no more; what stands behind it is nobody's message. */
  readonly isEnded: boolean;
}

/**
 * The envelopes of a stream's lines.
 * @param length the complete lines at the beginning of `bytes` @param firstIndex of the first one
 * @param plain what is known of lines that came before
 */
export function completeLines(bytes: Buffer, length: number, firstIndex: number, plain: PlainLines): StreamLines {
  const text = bytes.toString("utf8", 0, length);
  const isText = !text.includes(REPLACEMENT) || isUtf8(bytes.subarray(0, length));
  return isText ? linesOf(text, firstIndex, plain, { endsAtEmpty: true }) : linesAmong(bytes, length, firstIndex);
}

/** The same as `linesOf` for bytes of which some are not UTF-8. */
function linesAmong(bytes: Buffer, length: number, firstIndex: number): StreamLines {
  const envelopes: LoadedEnvelope[] = [];
  for (let start = 0, end; start < length; start = end) {
    if (bytes[start] === NEWLINE) return { envelopes, isEnded: true };
    end = bytes.indexOf(NEWLINE, start) + 1;
    const raw = bytes.toString("utf8", start, end);
    const isText = isUtf8(bytes.subarray(start, end));
    if (!isBlank(raw)) {
      const value = isText ? parseLine(raw) : undefined;
      envelopes.push({ index: firstIndex + envelopes.length, value, raw, isFit: false });
    }
  }
  return { envelopes, isEnded: false };
}

interface End {
  /** As streams do; elsewhere an empty line says nothing. */
  readonly endsAtEmpty: boolean;
}

/** @param text whole lines */
function linesOf(text: string, firstIndex: number, plain: PlainLines, { endsAtEmpty }: End): StreamLines {
  const envelopes: LoadedEnvelope[] = [];
  for (let start = 0, end; start < text.length; start = end) {
    end = text.indexOf("\n", start) + 1;
    if (endsAtEmpty && end === start + 1) return { envelopes, isEnded: true };
    const envelope = envelopeAt(text, start, end, firstIndex + envelopes.length, plain);
    if (envelope !== undefined) envelopes.push(envelope);
  }
  return { envelopes, isEnded: false };
}

/**
 * The envelope of one line; undefined when the line is blank.
 * @param text flat rather than a part of another @param start of the line in it @param end behind its newline
 */
export function envelopeAt(
  text: string,
  start: number,
  end: number,
  index: number,
  plain: PlainLines,
): LoadedEnvelope | undefined {
  const raw = text.slice(start, end);
  if (isNestedTooDeeply(raw)) return { index, value: undefined, raw, isFit: false };
  const known = plain.read(text, start, end);
  if (known !== undefined) return { index, value: known, raw, isFit: true };
  if (isBlank(raw)) return undefined;
  const value = parseEnvelope(raw);
  return { index, value, raw, isFit: plain.learn(raw, value) };
}

function isBlank(line: string): boolean {
  return line.trim() === "";
}

/** undefined when it is not JSON, or nested too deeply. */
function parseLine(line: string): unknown {
  return isNestedTooDeeply(line) ? undefined : parseEnvelope(line);
}

/** JSON, without the attributes that are null: CloudEvents' JSON format (chapter 2.2) takes null for absent. */
export function parseEnvelope(text: string): unknown {
  const value = parse(text);
  if (!text.includes("null") || typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name, member]) => member !== null || name === "data"));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
