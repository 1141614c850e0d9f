// node packages/pipe/build/test/soak.js [SECONDS]: a receiver that is stopped for a minute under a sender at full speed. Ends with 1 when the
// sender's memory grew, or a message is missing.
import { runAgainstStopped } from "./support/stopped-receiver.js";

const MAX_GROWTH_BYTES = 48 * 1024 * 1024;
const seconds = Number(process.argv[2] ?? 60);
const { sentWhileStopped, growthBytes, isComplete } = await runAgainstStopped(seconds * 1_000);
console.log(
  `stopped for ${seconds} s: ${sentWhileStopped} messages of 1 KB found room, the sender's resident memory grew by ${(growthBytes / 1024 / 1024).toFixed(1)} MiB at the most, ${isComplete ? "nothing is missing" : "MESSAGES ARE MISSING"}`,
);
if (!isComplete || growthBytes > MAX_GROWTH_BYTES) process.exitCode = 1;
