import { fromErrno } from "../errors.js";
import type { Claim } from "../settle/claim.js";

/** Claimed files with messages that were not handed out, or were given back: they go to the next consumer when this one closes. */
export class Returns {
  readonly #path: string;
  readonly #claims = new Set<Claim>();
  #isClosed = false;

  /** @param path of the subscription, for people */
  constructor(path: string) {
    this.#path = path;
  }

  add(claim: Claim): void {
    if (this.#isClosed) this.#return(claim);
    else this.#claims.add(claim);
  }

  /** Puts them back; what is added from now on goes back at once. */
  close(): void {
    for (const claim of this.#claims) this.#return(claim);
    this.#claims.clear();
    this.#isClosed = true;
  }

  #return(claim: Claim): void {
    try {
      claim.release();
    } catch (error) {
      const { message, code } = fromErrno(error, "put back a message of", this.#path);
      process.emitWarning(`${message}; the next consumer finds it`, { type: "AgentbusWarning", code });
    }
  }
}
