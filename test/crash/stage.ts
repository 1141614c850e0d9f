import type { Bus, OpenBusOptions } from "#core/bus.js";
import { createBus } from "#core/open-bus.js";
import { nodeFileSystem, type FileSystem } from "#core/file-system.js";
import type { PublishOptions, PublishResult } from "#core/publish/publish-options.js";
import type { Message } from "#core/subscribe/message.js";
import { isIntact, payload, type Journal } from "./journal.js";

export interface StageOptions {
  readonly spoolPath: string;
  readonly journal: Journal;
  /** Names this process as a publisher. */
  readonly name: string;
  readonly fileSystem?: FileSystem;
  readonly onPhase?: (phase: string) => void;
}

/** What to do with a message once its handler has begun. */
export type Deed = (message: Message) => unknown;

/** Where a process of a crash test publishes and handles, and writes down each thing before and after it does it. */
export class Stage {
  readonly #options: StageOptions;
  #published = 0;

  constructor(options: StageOptions) {
    this.#options = options;
  }

  get spoolPath(): string {
    return this.#options.spoolPath;
  }

  get fileSystem(): FileSystem {
    return this.#options.fileSystem ?? nodeFileSystem;
  }

  /** What follows belongs to this part of the scenario. */
  phase(name: string): void {
    this.#options.onPhase?.(name);
  }

  bus(options: OpenBusOptions = {}): Promise<Bus> {
    return createBus({ spool: this.spoolPath, rescanMs: 50, ...options }, { fileSystem: this.fileSystem, env: {} });
  }

  say(text: string): void {
    this.#options.journal.note({ what: "say", text });
  }

  /** Publishes the next message of this process. */
  async publish(bus: Bus, destination: string, options: PublishOptions = {}, bytes?: number): Promise<PublishResult> {
    const { journal, name } = this.#options;
    const n = ++this.#published;
    const id = `${name} ${n}`;
    journal.note({ what: "attempt", id });
    const result = await bus.publish(destination, payload(name, n, bytes), options);
    journal.note({ what: "promise", id, subscriptions: result.subscriptions });
    return result;
  }

  /** A handler that writes down what it gets, does `deed`, and acknowledges unless that settled it or threw. */
  handler(deed: Deed = () => undefined): (message: Message) => Promise<void> {
    return async (message) => {
      this.noteHandling(message);
      await deed(message);
      if (message.isSettled) return;
      await message.ack();
      this.noteSettled(message);
    };
  }

  noteHandling(message: Message): void {
    const { data, subscription, attempt } = message;
    const { from, n } = data as { from: string; n: number };
    this.#options.journal.note({
      ...{ what: "handle", id: keyOf(message), subscription, attempt, from, n },
      priority: message.envelope.priority ?? 5,
      intact: isIntact(data),
    });
  }

  noteSettled(message: Message): void {
    this.#options.journal.note({ what: "settled", id: keyOf(message), subscription: message.subscription });
  }
}

/** A message's name in journals: the bus's own id is not known before `publish()` resolves. */
function keyOf({ data }: Pick<Message, "data">): string {
  const { from, n } = data as { from: string; n: number };
  return `${from} ${n}`;
}
