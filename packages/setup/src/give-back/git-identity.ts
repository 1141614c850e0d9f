import { spawnSync } from "node:child_process";
import fs from "node:fs";
import type { Origin } from "../ledger.js";
import { GIT_CONFIG, XDG_GIT_CONFIG } from "../plan/home-files.js";
import { Unfit, type Home } from "./home.js";

const PATH = "/usr/local/bin:/usr/bin:/bin";
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;
/** What git leaves of a file that had nothing else in it. */
const NOTHING = /^(?:\[user\]\s*)?$/;

/** Values of git that setup has set get what they were, as far as they are still setup's. @param values by git's names for them */
export function giveBackGit(
  home: Home,
  values: ReadonlyMap<string, Origin>,
  fileOf: (path: string) => Origin | undefined,
): void {
  if (values.size === 0) return;
  for (const path of [GIT_CONFIG, XDG_GIT_CONFIG])
    home.withFile(path, fileOf(path)?.before === "link", () => undefined);
  for (const [key, origin] of values) giveBackValue(home, key, origin);
  if (fileOf(GIT_CONFIG)?.how !== "made") return;
  home.withFile(GIT_CONFIG, false, (file) => {
    if (NOTHING.test(home.read(file).toString("utf8"))) fs.rmSync(file.path, { force: true });
  });
}

function giveBackValue(home: Home, key: string, { how, before, set = [] }: Origin): void {
  const old = how === "made" ? undefined : before;
  const present = git(home, ["--get", key]);
  if (present === old) return;
  if (present === undefined || !set.includes(present)) {
    const now = present === undefined ? "no value" : JSON.stringify(present.slice(0, 100));
    return home.say(`git's ${key} of ${home.name} has ${now}, which is not setup's doing: it stays`);
  }
  git(home, old === undefined ? ["--unset", key] : [key, old]);
}

/** undefined: there is none. @throws Unfit */
function git({ dir }: Home, words: readonly string[]): string | undefined {
  const { status, stdout, stderr, error } = spawnSync("git", ["config", "--global", "-z", ...words], {
    env: { PATH, HOME: dir, LC_ALL: "C" },
    cwd: dir,
    encoding: "utf8",
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_BYTES,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (status === 0) return stdout.replace(/\0$/, "");
  if (status === 1 && words[0] === "--get") return undefined;
  throw new Unfit(`cannot be changed by git: ${(error?.message ?? stderr).trim().slice(0, 200)}`);
}
