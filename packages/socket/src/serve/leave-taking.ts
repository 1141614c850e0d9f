/** What a client that was asked to go is about. */
export type Standing =
  /** Something of it is being handled here. */
  | "working"
  /** Something that it should take, or send, is waited for. */
  | "awaited"
  /** Neither. */
  | "idle";

/** A client, as far as it matters for when it goes. */
export interface Guest {
  readonly standing: Standing;
  /** A figure that changes whenever it takes or sends something. */
  readonly progress: number;
  sayGoodbye(): void;
  /** Ends its connection. @param why for whoever still handles something of it */
  letGo(why: string): void;
}

/** Between two looks, in milliseconds. */
const LOOK_MS = 100;
/**
 * After so many looks without any progress a client is not waited for: one that is idle should have gone by itself, and one that is awaited
 * does not take its answers. Looks rather than time: after a handler that held up this process, what came meanwhile is read first.
 */
const LOOKS: Readonly<Record<Exclude<Standing, "working">, number>> = { idle: 10, awaited: 50 };

/** Asks the clients of a server to go, and lets those go that neither do nor have anything in work. */
export class LeaveTaking {
  readonly #guests: ReadonlySet<Guest>;
  readonly #looks = new WeakMap<Guest, Pick<Guest, "standing" | "progress"> & { count: number }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param guests from which each is gone when its connection has ended */
  constructor(guests: ReadonlySet<Guest>) {
    this.#guests = guests;
  }

  begin(): void {
    for (const guest of this.#guests) guest.sayGoodbye();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const guest of this.#guests) {
      const { standing, progress } = guest;
      const before = this.#looks.get(guest);
      if (standing === "working" || before?.standing !== standing || before.progress !== progress) {
        this.#looks.set(guest, { standing, progress, count: 0 });
      } else if (++before.count === LOOKS[standing]) {
        guest.letGo(standing === "idle" ? "the server was closed" : "it took nothing while the server was to go");
      }
    }
  }
}
