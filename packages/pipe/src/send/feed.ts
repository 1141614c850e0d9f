import type { ChannelHost, EnvelopeWriter, Sent } from "@agentbus/core";
import type { WritingEnds } from "./offered-fifo.js";
import { Outflow } from "./outflow.js";
import { promised, type Letter, type WaitingRoom } from "./waiting-room.js";

/** Each time after so many messages that found room at once, the event loop gets a turn. */
const BREATHE_AFTER = 256;

export interface FeedEvents {
  /** So many letters, with so many bytes, are in the pipe. */
  readonly onAccepted: (letters: number, bytes: number) => void;
  /** Nothing waits, and nothing is under way. */
  readonly onEmpty: () => void;
  /** The receiver is gone. What it had not read, so many letters, is in front of the waiting room again, and then what was under way. */
  readonly onBroken: (unread: number) => void;
}

/**
 * Feeds a pipe that a receiver has taken up. The first letter of a tick goes in at once, because it may be the only one. What follows in the
 * same tick was sent by somebody who did not wait, and goes in together with a microtask: one write(2) for many.
 *
 * Letters go in in this order: the one that is under way, those that are composed, those in the waiting room.
 */
export class Feed {
  readonly #outflow: Outflow;
  readonly #room: WaitingRoom;
  readonly #events: FeedEvents;
  /** That of which the pipe may have a part. Has no text if it was composed. */
  #underWay: Letter | undefined;
  /** Without texts: their frames stand where they go into the pipe from. */
  #composed: Letter[] = [];
  #isComposing = false;
  /** A letter has found room, and nobody else has had a turn since. */
  #isBurst = false;
  /** Characters that came since the last look for room. */
  #since = 0;
  #count = 0;
  #isOver = false;

  constructor(host: ChannelHost, ends: WritingEnds, room: WaitingRoom, events: FeedEvents) {
    this.#room = room;
    this.#events = events;
    this.#outflow = new Outflow(host, ends, {
      onWritten: () => this.#written(),
      onBroken: () => this.#break(),
    });
  }

  get isEmpty(): boolean {
    return this.#underWay === undefined && this.#composed.length === 0;
  }

  /**
   * Hands in a message without options, if it is of the usual kind: it is written where it goes into the pipe from, and has neither a text
   * nor a place in the waiting room.
   * @returns undefined when it takes the writer's text and `put()`; then nothing has happened
   */
  compose(writer: EnvelopeWriter, data: unknown): Promise<Sent> | undefined {
    if (this.#isComposing) return undefined;
    if (this.#outflow.isShortOfRoom) this.#makeRoom();
    if (!this.#room.isEmpty) return undefined;
    const before = this.#outflow.unsentBytes;
    // The data may have getters, and these may send, or close. What they send has to wait until this one is written.
    this.#isComposing = true;
    let id: string | undefined;
    try {
      id = this.#outflow.compose(writer, data);
    } finally {
      this.#isComposing = false;
      if (id === undefined) this.#catchUp();
    }
    if (id === undefined || this.#isOver) return undefined;
    if (this.#isFirst) {
      this.#beginBurst();
      if (this.#outflow.pushComposed(1) === 1) return this.#acceptedAtOnce(id);
      const { letter, sent } = promised(id, "");
      this.#stopAt([letter]);
      return sent;
    }
    const { letter, sent } = promised(id, "");
    this.#composed.push(letter);
    this.#notice(this.#outflow.unsentBytes - before);
    return sent;
  }

  /** Hands a letter in, behind those that wait. @throws BusError ERR_BACKLOG */
  put(id: string, text: string, signal: AbortSignal | undefined): Promise<Sent> {
    if (!this.#isFirst || !this.#room.isEmpty) {
      const sent = this.#room.enter(id, text, signal, this.#events.onEmpty);
      if (this.#isBurst) this.#notice(text.length);
      else this.flush();
      return sent;
    }
    this.#beginBurst();
    if (this.#outflow.push(text, 1) === 1) return this.#acceptedAtOnce(id);
    const { letter, sent } = this.#room.write(id, text, signal);
    this.#stopAt([letter]);
    return sent;
  }

  /** Whether what comes now is the first of its tick, and nothing is under way nor being written. */
  get #isFirst(): boolean {
    return !this.#isBurst && !this.#isComposing && this.#outflow.isReady;
  }

  #beginBurst(): void {
    this.#isBurst = true;
    void SETTLED.then(this.#endBurst);
  }

  #acceptedAtOnce(id: string): Promise<Sent> {
    this.#events.onAccepted(1, this.#outflow.takeCount());
    return ++this.#count % BREATHE_AFTER === 0 ? nextTurn({ id }) : Promise.resolve({ id });
  }

  /** Nothing was written after all: what came meanwhile need not wait for it. */
  #catchUp(): void {
    if (!this.#isBurst && !this.#isOver && !this.#room.isEmpty) this.flush();
  }

  #makeRoom(): void {
    this.#pushComposed();
    if (this.isEmpty && this.#outflow.isReady) this.#outflow.makeRoom();
  }

  /** Puts in what waits, as far as there is room. */
  flush(): void {
    if (this.#isComposing) return;
    this.#pushComposed();
    while (!this.#room.isEmpty) {
      if (!this.#outflow.isReady) return;
      const letters = this.#room.take(this.#outflow.portion);
      let text = "";
      for (const letter of letters) text += letter.text;
      const count = this.#outflow.push(text, letters.length);
      if (count < letters.length) {
        this.#settle(letters.slice(0, count));
        return this.#stopAt(letters.slice(count));
      }
      this.#settle(letters);
    }
    this.#events.onEmpty();
  }

  /** A receiver that goes while nothing is sent is noticed from time to time. */
  look(): void {
    if (this.#outflow.isReady && !this.#outflow.hasReader()) this.#break();
  }

  /** What is in the pipe stays there. */
  close(error: unknown): void {
    this.#isOver = true;
    for (const { reject } of [...this.#takeUnderWay(), ...this.#composed]) reject?.(error);
    this.#composed = [];
    this.#outflow.close();
  }

  /** What was sent in one go, by whoever did not wait, goes into the pipe together. The first one is in it already. */
  readonly #endBurst = () => {
    if (this.#isOver) return;
    this.#pushOn();
    this.#isBurst = false;
    if (!this.#isOver) this.#outflow.wait();
  };

  /** So many characters have come. */
  #notice(characters: number): void {
    if (this.#isBurst && (this.#since += characters) >= this.#outflow.portion) this.#pushOn();
  }

  /** The receiver may have made room meanwhile, of which the event loop had no turn to tell. */
  #pushOn(): void {
    this.#since = 0;
    if (this.#outflow.isReady) this.flush();
    else if (this.#outflow.retry()) this.#written();
    else if (this.#outflow.isBroken) this.#break();
  }

  #pushComposed(): void {
    const letters = this.#composed;
    if (letters.length === 0 || !this.#outflow.isReady) return;
    const count = this.#outflow.pushComposed(letters.length);
    this.#composed = letters.slice(count);
    this.#settle(count === letters.length ? letters : letters.slice(0, count));
    if (this.#outflow.isBroken) return this.#break();
    if (count === letters.length) return;
    this.#underWay = this.#composed.shift();
    if (!this.#isBurst) this.#outflow.wait();
  }

  /** @param letters of which the first found no room, or no reader */
  #stopAt(letters: readonly Letter[]): void {
    this.#underWay = letters[0];
    this.#room.putBack(letters.slice(1));
    if (this.#outflow.isBroken) this.#break();
    else if (!this.#isBurst) this.#outflow.wait();
  }

  #written(): void {
    this.#settle(this.#takeUnderWay());
    this.flush();
  }

  #takeUnderWay(): readonly Letter[] {
    const letter = this.#underWay;
    this.#underWay = undefined;
    return letter === undefined ? [] : [letter];
  }

  #settle(letters: readonly Letter[]): void {
    this.#events.onAccepted(letters.length, this.#outflow.takeCount());
    for (const { id, resolve } of letters) resolve?.({ id });
  }

  #break(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const unread = this.#outflow.unread();
    const unsent = this.#takeUnsent();
    this.#outflow.close();
    const again = unread.map((text): Letter => ({ id: "", text, resolve: undefined, reject: undefined }));
    this.#room.putBack([...again, ...unsent]);
    this.#events.onBroken(unread.length);
  }

  /** What is under way, and what is composed, with their texts. */
  #takeUnsent(): Letter[] {
    const letters = [...this.#takeUnderWay(), ...this.#composed];
    this.#composed = [];
    if (letters.every(({ text }) => text !== "")) return letters;
    const texts = this.#outflow.unsent();
    return letters.map((letter, i) => ({ ...letter, text: texts[i] ?? "" }));
  }
}

const SETTLED = Promise.resolve();

/** Whoever awaits one message after another that all find room would never give the event loop a turn. */
function nextTurn(sent: Sent): Promise<Sent> {
  return new Promise((resolve) => setImmediate(resolve, sent));
}
