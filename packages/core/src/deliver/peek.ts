import { errnoOf } from "../errors.js";
import { isMessageFile, isStream } from "../message-name.js";
import { parseCurName, parseRetryName } from "../settle/claim-names.js";
import { dataOf, type Envelope } from "../envelope.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { Judge, type Sender } from "./judge.js";
import { isUnfit, loadFile } from "./load.js";
import { PlainLines } from "./plain-lines.js";
import { printable, type Refusal } from "./refusal.js";

/** A message that was looked at and left where it is. */
export interface PeekedMessage<Data = unknown> {
  readonly envelope: Envelope<Data>;
  /** Binary data is decoded to a Buffer. */
  readonly data: Data;
  /** Verified, as a delivered message's is. */
  readonly sender: Sender;
  readonly subscription: string;
  /** Which attempt it waits for, or is in. */
  readonly attempt: number;
}

interface Entry {
  readonly path: string;
  readonly file: string;
  readonly attempt: number;
}

/**
 * Looks at the messages of a subscription without taking them: those that wait, are in work, or will be tried again. Each file is
 * shown once; what its consumer settles between two looks is never seen.
 */
export class Peek {
  readonly #spool: Spool;
  readonly #directories: SubscriptionDirectories;
  readonly #judge: Judge;
  /** By file, what was shown of it: owner and hash of each envelope. */
  #shown = new Map<string, readonly string[]>();

  constructor(spool: Spool, directories: SubscriptionDirectories) {
    this.#spool = spool;
    this.#directories = directories;
    this.#judge = new Judge(spool, directories.record);
  }

  /** What has come since the last look, in delivery order. @throws the system's error */
  async *look(onRefused: ((refusal: Refusal) => void) | undefined): AsyncGenerator<PeekedMessage> {
    this.#spool.accounts.refresh();
    const entries = this.#entries();
    const before = this.#shown;
    // A file is renamed when it is taken, so what was in files that are gone counts once more.
    const known = new Set([...before.values()].flat());
    this.#shown = new Map(entries.flatMap(({ file }) => (before.has(file) ? [[file, before.get(file) ?? []]] : [])));
    for (const entry of entries) {
      if (isStream(entry.file) || !this.#shown.has(entry.file)) yield* this.#read(entry, known, onRefused);
    }
  }

  #entries(): Entry[] {
    const { new: arrivals, cur, retry } = this.#directories;
    const { fileSystem } = this.#spool;
    const entries: Entry[] = [];
    for (const file of fileSystem.readdir(arrivals.base)) {
      if (isMessageFile(file)) entries.push({ path: arrivals.atOwn(file), file, attempt: 1 });
    }
    for (const name of fileSystem.readdir(cur.base)) {
      const claim = parseCurName(name);
      if (claim !== undefined) entries.push({ path: cur.atOwn(name), file: claim.file, attempt: claim.attempt });
    }
    for (const name of fileSystem.readdir(retry.base)) {
      const claim = parseRetryName(name);
      if (claim !== undefined) entries.push({ path: retry.atOwn(name), file: claim.file, attempt: claim.attempts + 1 });
    }
    // Private records hold no more than a file that was shown; what was split before the first look stays unseen.
    return entries.filter(({ file }) => isMessageFile(file)).sort((a, b) => (a.file < b.file ? -1 : 1));
  }

  async *#read(
    { path, file, attempt }: Entry,
    known: Set<string>,
    onRefused: ((refusal: Refusal) => void) | undefined,
  ): AsyncGenerator<PeekedMessage> {
    const { label: subscription } = this.#directories;
    const load = await this.#load(path, file);
    // Moved on between the listing and now: if it is still ours, the next look finds it.
    if (load === undefined) return;
    if (isUnfit(load)) {
      this.#shown.set(file, []);
      const sender =
        load.uid === undefined ? undefined : { uid: load.uid, user: this.#spool.accounts.userOf(load.uid) };
      onRefused?.({ reason: load.reason, detail: load.detail, sender, file: printable(file), subscription });
      return;
    }
    const speaker = await this.#judge.senderOf(load.uid);
    // The next look asks again.
    if (speaker === undefined) return;
    const { createHash } = process.getBuiltinModule("node:crypto");
    const keys = load.envelopes.map(({ raw }) => `${load.uid} ${createHash("sha256").update(raw).digest("base64")}`);
    this.#shown.set(file, keys);
    for (const loaded of load.envelopes) {
      const { index } = loaded;
      const key = keys[index] ?? "";
      if (known.has(key)) continue;
      known.add(key);
      const verdict = await this.#judge.judge(speaker, loaded, load.writtenMs);
      if (verdict.kind === "refuse") {
        const { reason, detail, sender } = verdict;
        onRefused?.({ reason, detail, sender, file, subscription });
      } else if (verdict.kind === "deliver") {
        const { envelope, sender } = verdict;
        yield { envelope, data: dataOf(envelope), sender, subscription, attempt };
      }
    }
  }

  async #load(path: string, file: string): Promise<Awaited<ReturnType<typeof loadFile>> | undefined> {
    try {
      return await loadFile(this.#spool, path, new PlainLines(), { isStream: isStream(file) });
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EAGAIN") return undefined;
      throw error;
    }
  }
}
