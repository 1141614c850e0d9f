// Builds everything that is out of date: the schemas and their validators first (core's sources import them), then
// TypeScript by project reference, then the bundles that are published. Two builds at once in one tree would tear each other's output, so they queue.
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { lock } from "proper-lockfile";
import { buildSchemas } from "./build-schemas.mjs";
import { bundlePackages } from "./bundle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

await mkdir(`${root}/build`, { recursive: true });
const unlock = await lock(root, {
  lockfilePath: `${root}/build/.building`,
  retries: { retries: 600, minTimeout: 200, maxTimeout: 200 },
});
try {
  await buildSchemas(root);
  process.exitCode = await compile();
  await bundlePackages(root);
} finally {
  await unlock();
}

/** tsc emits even when it reports type errors, so one broken file does not keep the others from being tried out. */
function compile() {
  const tsc = spawn(process.execPath, ["node_modules/typescript/bin/tsc", "-b", ...process.argv.slice(2)], {
    cwd: root,
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => {
    tsc.on("error", reject);
    tsc.on("exit", (code) => resolve(code ?? 1));
  });
}
