import type { Room } from "./room.js";

export interface Downstream {
  readonly room: Room;
  /** Sends one, and counts it. @throws what cannot be sent */
  readonly send: (value: unknown) => void | Promise<void>;
  /** All was sent, or it broke off. Called at most once. */
  readonly end: (failure?: unknown) => void;
}

/**
 * Sends what an async iterable yields, asking it for the next only when there is room for it. When the room is closed it is left, also in
 * the middle of a value that does not come.
 */
export async function pump(source: AsyncIterable<unknown>, { room, send, end }: Downstream): Promise<void> {
  let iterator: AsyncIterator<unknown> | undefined;
  let isDone = false;
  try {
    // Throws where somebody else reads the stream already.
    iterator = source[Symbol.asyncIterator]();
    for (;;) {
      await room.when();
      if (room.isClosed) return;
      const next = await nextOf(iterator, room);
      if (next === CLOSED || room.isClosed) return;
      if (next.done === true) {
        isDone = true;
        return end();
      }
      await send(next.value);
    }
  } catch (error) {
    end(error);
  } finally {
    if (!isDone) void leave(iterator);
  }
}

/** Not to be awaited: a generator that hangs in the middle of a value does not return before it goes on. */
async function leave(iterator: AsyncIterator<unknown> | undefined): Promise<void> {
  try {
    await iterator?.return?.();
  } catch {
    // Nobody wants anything of it any more.
  }
}

const CLOSED = Symbol("closed");

/** Promise.race() with a promise of the room's would keep something for each value until the room is closed. */
function nextOf(iterator: AsyncIterator<unknown>, room: Room): Promise<IteratorResult<unknown> | typeof CLOSED> {
  return new Promise((resolve, reject) => {
    room.onClose = () => resolve(CLOSED);
    Promise.resolve(iterator.next()).then(resolve, reject);
  });
}
