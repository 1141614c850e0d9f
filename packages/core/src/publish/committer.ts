import { ignoreMissing } from "../directory.js";
import { moment } from "../freshness.js";
import type { Spool } from "../spool.js";
import type { Backlog } from "./backlog.js";
import { Drafts, type Draft } from "./drafts.js";
import { FanOut, type Delivery } from "./fan-out.js";
import type { Parcel } from "./parcel.js";
import { Streams } from "./streams.js";
import type { Target } from "./target.js";

export interface Committed extends Delivery {
  readonly keptPath?: string;
}

/** Puts bytes into drop boxes: appended to what was sent just before, or written once and linked everywhere. */
export class Committer {
  readonly #spool: Spool;
  readonly #drafts: Drafts;
  readonly #fanOut: FanOut;
  readonly streams: Streams;

  constructor(spool: Spool, backlog: Backlog) {
    this.#spool = spool;
    this.#drafts = new Drafts(spool);
    this.#fanOut = new FanOut(spool, this.#drafts, backlog);
    this.streams = new Streams(spool, this.#drafts);
  }

  /**
   * @param parcel the first of those that share `text`, which is so many lines
   * @returns a promise only when it has to wait for the disk
   */
  commit(parcel: Parcel, text: string, lines: number, targets: readonly Target[]): Committed | Promise<Committed> {
    const { priority, sync, keepsLink, order } = parcel;
    if (targets.length === 0) return { stored: [], gone: [], failed: [] };
    const mayGrow = sync === "none" && !keepsLink;
    if (mayGrow && this.#append(priority, text, lines, targets)) return { stored: targets, gone: [], failed: [] };
    const bytes = Buffer.from(text);
    const isStream = this.streams.turnOver(priority, bytes.length, targets) && mayGrow;
    const fileName = this.#spool.names.messageFile(priority, order, isStream ? ".jsonl" : ".json");
    const draft = this.#drafts.write(bytes);
    if (sync !== "none") return this.#commitToDisk(parcel, draft, fileName, targets);
    const look = moment();
    const delivery = this.#fanOut.link(draft, fileName, targets);
    if (!isStream || delivery.stored.length < targets.length) return this.#finish(parcel, draft, fileName, delivery);
    this.streams.begin(draft, fileName, bytes.length, lines, targets, look);
    return delivery;
  }

  /** Removes a publisher's own link. */
  forget(keptPath: string): void {
    try {
      ignoreMissing(() => this.#spool.fileSystem.unlink(keptPath));
    } catch {
      // Swept when this process is gone; what is to be reported is another failure.
    }
  }

  close(): void {
    this.streams.close();
    this.#drafts.close();
  }

  #append(priority: number, text: string, lines: number, targets: readonly Target[]): boolean {
    try {
      return this.streams.append(priority, text, lines, targets);
    } catch {
      // A file of its own tells whether it is the disk or the stream.
      return false;
    }
  }

  async #commitToDisk(parcel: Parcel, draft: Draft, fileName: string, targets: readonly Target[]): Promise<Committed> {
    try {
      await this.#fanOut.syncData(draft);
    } catch (error) {
      this.#drafts.discard(draft);
      throw error;
    }
    const delivery = this.#fanOut.link(draft, fileName, targets);
    try {
      if (parcel.sync === "full") await this.#fanOut.syncLinks(draft, delivery.stored);
    } catch (error) {
      // They hold the message, but nobody can promise that they will after a power cut.
      const failed = [...delivery.failed, ...delivery.stored.map((target) => ({ target, error }))];
      return this.#finish(parcel, draft, fileName, { stored: [], gone: delivery.gone, failed });
    }
    return this.#finish(parcel, draft, fileName, delivery);
  }

  #finish(parcel: Parcel, draft: Draft, fileName: string, delivery: Delivery): Committed {
    if (parcel.keepsLink && delivery.stored.length > 0) {
      return { ...delivery, keptPath: this.#drafts.keep(draft, `.${process.pid}-${fileName}.receipt`) };
    }
    this.#drafts.release(draft);
    return delivery;
  }
}
