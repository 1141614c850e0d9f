import { PipeArena } from "./pipe-arena.js";

/** Nothing here takes so long, in milliseconds; it only keeps a test from waiting for ever. */
const PATIENCE_MS = 60_000;

export async function inArena(test: (arena: PipeArena) => Promise<void>): Promise<void> {
  const arena = await PipeArena.open();
  try {
    await test(arena);
  } finally {
    await arena.close();
  }
}

export async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
