import { SYNC_READ_BYTES } from "../bounded-read.js";
import type { Parcel } from "./parcel.js";
import type { Target } from "./target.js";
import type { Waiting } from "./tick-queue.js";

/** Publishes may share a file up to so many … */
const MAX_SHARED = 256;
/** … and so many bytes: as many as a receiver reads without a detour through the thread pool. */
const MAX_SHARED_BYTES = SYNC_READ_BYTES;

/**
 * The longest run of neighbours that can share one file.
 * @param start the first of them @param targets which get that one @param maxBytes of an envelope
 */
export function sharersFrom(
  all: readonly Waiting[],
  start: number,
  targets: readonly Target[],
  maxBytes: number,
): readonly Waiting[] {
  const first = all[start] as Waiting;
  const sharers = [first];
  if (!mayShare(first.parcel, targets)) return sharers;
  let bytesLeft = Math.min(MAX_SHARED_BYTES, maxBytes) - Buffer.byteLength(first.parcel.text);
  for (let i = start + 1; i < all.length && sharers.length < MAX_SHARED; i++) {
    const next = all[i] as Waiting;
    bytesLeft -= Buffer.byteLength(next.parcel.text);
    if (bytesLeft < 0 || !isAlike(next.parcel, first.parcel)) break;
    sharers.push(next);
  }
  return sharers;
}

/** Limits count files, and a file in a queue is one account's work: neither may hold several messages. */
function mayShare(parcel: Parcel, targets: readonly Target[]): boolean {
  if (parcel.keepsLink) return false;
  return targets.every(({ record }) => record.kind !== "queue" && record.maxBacklog === undefined);
}

function isAlike(a: Parcel, b: Parcel): boolean {
  return (
    a.to === b.to &&
    a.topic === b.topic &&
    a.priority === b.priority &&
    a.sync === b.sync &&
    !a.keepsLink &&
    a.signal?.aborted !== true
  );
}
