// Removes everything that a build makes.
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

for (const dir of [
  "build",
  "packages/core/dist",
  "packages/core/build",
  "packages/setup/dist",
  "packages/setup/build",
  "packages/cli/dist",
  "packages/cli/build",
  "bench/build",
]) {
  await rm(fileURLToPath(new URL(`../${dir}`, import.meta.url)), { recursive: true, force: true });
}
