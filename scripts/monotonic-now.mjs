// Takes the place of performance.now() in the bundle of the command: see bundle.mjs.
const origin = process.hrtime();

export function monotonicNow() {
  const [seconds, nanoseconds] = process.hrtime(origin);
  return seconds * 1e3 + nanoseconds / 1e6;
}
