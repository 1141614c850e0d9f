/** Nothing here takes so long, in milliseconds; it only keeps a test from waiting for ever. */
const PATIENCE_MS = 60_000;

/** Waits until something is so. @param what it is, for the error */
export async function until(isSo: () => boolean, what: () => string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`in vain: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
