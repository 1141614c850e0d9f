import { isBusError, type ErrorCode } from "@agentbus/core";
import { UsageError } from "../failure.js";
import { ArrivalLog, type Arrivals } from "./arrival-log.js";
import { RECEIVE, type Transport } from "./receivers.js";

/** What an end says to the process that measures. */
export type Word =
  | { readonly kind: "ready" }
  | { readonly kind: "arrived"; readonly arrivals: Arrivals }
  | { readonly kind: "failed"; readonly message: string; readonly code?: ErrorCode; readonly fix?: string | undefined };

/** Asks an end for its arrivals. */
export interface Question {
  /** The last serial that was sent. */
  readonly sent: number;
}

/**
 * The receiving end of a transport, in a process of its own. It does not outlive the process that measures, however that ends:
 * Ctrl-C reaches both, and the other one decides.
 * @throws UsageError when somebody types it
 */
export async function runEnd(transport: Transport, dir: string): Promise<void> {
  if (process.send === undefined)
    throw new UsageError("--end is what agentbus bench starts itself with", "agentbus bench");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  process.on("disconnect", () => process.exit());
  const log = new ArrivalLog();
  try {
    const { done } = await RECEIVE[transport](dir, (payload) => log.add(payload));
    done.catch(tellFailure);
    process.on("message", ({ sent }: Question) => {
      log.upTo(sent).then((arrivals) => tell({ kind: "arrived", arrivals }), tellFailure);
    });
    tell({ kind: "ready" });
  } catch (error) {
    tellFailure(error);
  }
}

function tell(word: Word): void {
  process.send?.(word);
}

function tellFailure(error: unknown): void {
  if (isBusError(error)) tell({ kind: "failed", code: error.code, message: error.message, fix: error.fix });
  else tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
}
