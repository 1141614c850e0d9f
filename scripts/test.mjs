// Runs the compiled tests: `npm test`, or `npm test -- crash attack` for the files whose path contains one of the words.
// Lists the files itself, from the sources: node --test takes globs only since Node 21, and a test that was renamed
// or removed leaves its old output behind.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const words = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const nodeOptions = process.argv.slice(2).filter((argument) => argument.startsWith("-"));

const places = ["packages/core", "packages/pipe", "packages/socket", "packages/setup", "packages/cli", "bench", "."];
const files = places
  .flatMap((place) => testsIn(place))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
if (files.length === 0) {
  console.error(words.length === 0 ? "no tests found" : `no test file's path contains ${words.join(" or ")}`);
  process.exit(1);
}

const concurrency = Math.max(2, Math.min(4, availableParallelism()));
// The time limit, ten minutes for a file, only keeps a test that hangs from hanging CI.
const runner = spawn(
  process.execPath,
  [
    "--test",
    "--test-reporter=spec",
    "--test-timeout=600000",
    "--enable-source-maps",
    `--test-concurrency=${concurrency}`,
    ...nodeOptions,
    ...files,
  ],
  // Where a test starts the command with the environment as it is, nothing is left in the real home.
  { cwd: root, stdio: "inherit", env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: "1" } },
);
runner.on("exit", (code) => {
  process.exitCode = code ?? 1;
});

/** `<package>/test/x.test.ts` → `<package>/build/test/x.test.js` */
function testsIn(packageDir) {
  return readdirSync(`${root}/${packageDir}/test`, { recursive: true })
    .filter((name) => name.endsWith(".test.ts"))
    .sort()
    .map((name) => `${packageDir}/build/test/${name.replace(/\.ts$/, ".js")}`.replace(/^\.\//, ""));
}
