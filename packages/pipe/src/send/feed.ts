import type { ChannelHost, Sent } from "@agentbus/core";
import type { WritingEnds } from "./offered-fifo.js";
import { Outflow } from "./outflow.js";
import type { Letter, WaitingRoom } from "./waiting-room.js";

/** Each time after so many messages that found room at once, the event loop gets a turn. */
const BREATHE_AFTER = 256;

export interface FeedEvents {
  /** So many letters, with so many characters, are in the pipe. */
  readonly onAccepted: (letters: number, characters: number) => void;
  /** Nothing waits, and nothing is under way. */
  readonly onEmpty: () => void;
  /** The receiver is gone. What it had not read, so many letters, is in front of the waiting room again, and then what was under way. */
  readonly onBroken: (unread: number) => void;
}

/**
 * Feeds a pipe that a receiver has taken up. The first letter of a tick goes in at once, because it may be the only one. What follows in the
 * same tick was sent by somebody who did not wait, and goes in together with a microtask: one write(2) for many.
 */
export class Feed {
  readonly #outflow: Outflow;
  readonly #room: WaitingRoom;
  readonly #events: FeedEvents;
  /** Those of which the pipe may have a part. */
  #underWay: readonly Letter[] = [];
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
    return this.#underWay.length === 0;
  }

  /** Hands a letter in, behind those that wait. @throws BusError ERR_BACKLOG */
  put(id: string, text: string, signal: AbortSignal | undefined): Promise<Sent> {
    const outflow = this.#outflow;
    if (this.#isBurst || !outflow.isReady || !this.#room.isEmpty) {
      const sent = this.#room.enter(id, text, signal, this.#events.onEmpty);
      if (!this.#isBurst) this.flush();
      else if ((this.#since += text.length) >= outflow.portion) this.#pushOn();
      return sent;
    }
    this.#isBurst = true;
    void SETTLED.then(this.#endBurst);
    if (outflow.push(text, 1) === 1) {
      this.#events.onAccepted(1, text.length);
      return ++this.#count % BREATHE_AFTER === 0 ? nextTurn({ id }) : Promise.resolve({ id });
    }
    const { letter, sent } = this.#room.write(id, text, signal);
    this.#stopAt([letter], 0);
    return sent;
  }

  /** Puts in what waits, as far as there is room. */
  flush(): void {
    while (!this.#room.isEmpty) {
      if (!this.#outflow.isReady) return;
      const letters = this.#room.take(this.#outflow.portion);
      let text = "";
      for (const letter of letters) text += letter.text;
      const count = this.#outflow.push(text, letters.length);
      if (count < letters.length) return this.#stopAt(letters, count);
      this.#settle(letters, text.length);
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
    for (const { reject } of this.#underWay) reject?.(error);
    this.#underWay = [];
    this.#outflow.close();
  }

  /** What was sent in one go, by whoever did not wait, goes into the pipe together. The first one is in it already. */
  readonly #endBurst = () => {
    if (this.#isOver) return;
    this.#pushOn();
    this.#isBurst = false;
    if (!this.#isOver) this.#outflow.wait();
  };

  /** The receiver may have made room meanwhile, of which the event loop had no turn to tell. */
  #pushOn(): void {
    this.#since = 0;
    if (this.#outflow.isReady) this.flush();
    else if (this.#outflow.retry()) this.#written();
    else if (this.#outflow.isBroken) this.#break();
  }

  /** @param count of the letters that are in the pipe; the next one found no room, or no reader */
  #stopAt(letters: readonly Letter[], count: number): void {
    const accepted = letters.slice(0, count);
    this.#underWay = letters.slice(count, count + 1);
    this.#room.putBack(letters.slice(count + 1));
    this.#settle(accepted, charactersOf(accepted));
    if (this.#outflow.isBroken) this.#break();
    else if (!this.#isBurst) this.#outflow.wait();
  }

  #written(): void {
    const letters = this.#underWay;
    this.#underWay = [];
    this.#settle(letters, charactersOf(letters));
    this.flush();
  }

  #settle(letters: readonly Letter[], characters: number): void {
    this.#events.onAccepted(letters.length, characters);
    for (const { id, resolve } of letters) resolve?.({ id });
  }

  #break(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const unread = this.#outflow.unread();
    this.#outflow.close();
    const again = unread.map((text): Letter => ({ id: "", text, resolve: undefined, reject: undefined }));
    this.#room.putBack([...again, ...this.#underWay]);
    this.#underWay = [];
    this.#events.onBroken(unread.length);
  }
}

function charactersOf(letters: readonly Letter[]): number {
  return letters.reduce((sum, { text }) => sum + text.length, 0);
}

const SETTLED = Promise.resolve();

/** Whoever awaits one message after another that all find room would never give the event loop a turn. */
function nextTurn(sent: Sent): Promise<Sent> {
  return new Promise((resolve) => setImmediate(resolve, sent));
}
