import { execFile } from "node:child_process";
import { mkdir, rename, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { missingProgram } from "../servers/programs.js";

const run = promisify(execFile);
/** From bench/build/floor/. */
const SOURCE = fileURLToPath(new URL("../../floor/floor.c", import.meta.url));
const PROGRAM = fileURLToPath(new URL("./floor", import.meta.url));
const COMPILE_WITHIN_MS = 60_000;

export function missingCompiler(): string | undefined {
  if (process.platform !== "linux") return "a Linux machine, for inotify";
  return missingProgram("cc", "gcc libc6-dev");
}

let compiled: Promise<string> | undefined;

/** @returns the program, compiled when its source is newer */
export function floorProgram(): Promise<string> {
  return (compiled ??= compile());
}

async function compile(): Promise<string> {
  const [source, program] = await Promise.all([stat(SOURCE), stat(PROGRAM).catch(() => undefined)]);
  if (program !== undefined && program.mtimeMs > source.mtimeMs) return PROGRAM;
  await mkdir(fileURLToPath(new URL(".", import.meta.url)), { recursive: true });
  // Renamed into place: another bench may be running the old one.
  const draft = `${PROGRAM}.${process.pid}`;
  await run("cc", ["-O2", "-Wall", "-o", draft, SOURCE], { timeout: COMPILE_WITHIN_MS });
  await rename(draft, PROGRAM);
  return PROGRAM;
}
