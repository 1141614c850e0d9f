// Packs each package as npm would publish it, and looks at the result with publint (does package.json keep its word?)
// and attw (do the types resolve for everyone who can import it?).
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tarballsDir = mkdtempSync(join(tmpdir(), "agentbus-pack-"));
try {
  run("npm", ["pack", "--workspace", "packages", "--pack-destination", tarballsDir]);
  for (const tarball of readdirSync(tarballsDir)) {
    run("npx", ["--no", "--", "publint", "run", join(tarballsDir, tarball), "--strict"]);
    // The command has nothing to import, so there are no types to be wrong.
    if (!tarball.includes("-cli-")) {
      run("npx", ["--no", "--", "attw", join(tarballsDir, tarball), "--profile", "esm-only", "--format", "ascii"]);
    }
    console.log(`${tarball}: ${process.exitCode === 1 ? "see above" : "good to publish"}`);
  }
} finally {
  rmSync(tarballsDir, { recursive: true });
}

/** These tools say much when all is well, so only what fails is shown. */
function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  if (status === 0) return;
  console.error(`${[command, ...args].join(" ")}\n${stdout}${stderr}`);
  process.exitCode = 1;
}
