import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";

const repositoryDir = new URL("../../../", import.meta.url);
export const page = fs.readFileSync(new URL("docs/protocol.md", repositoryDir), "utf8");

/**
 * The programs of docs/protocol.md by the path of the example that each of them is: a comment names it before each of its fragments,
 * which put together are the program.
 */
export function programsOfPage(): ReadonlyMap<string, string> {
  const programs = new Map<string, string>();
  for (const [, path, fragment] of page.matchAll(/^<!-- (examples\/\S+) -->\n\n```[a-z]+\n([^]*?)^```$/gm)) {
    if (path === undefined || fragment === undefined) continue;
    const before = programs.get(path);
    programs.set(path, before === undefined ? fragment : `${before}\n\n${fragment}`);
  }
  return programs;
}

export function exampleAt(path: string): string {
  return fs.readFileSync(new URL(path, repositoryDir), "utf8");
}

/** Writes the programs of the page into a directory, where any account can run them. */
export function writePrograms(dir: string): {
  readonly publish: string;
  readonly subscribe: string;
  readonly python: string;
  readonly pipeSend: string;
  readonly pythonPipeSend: string;
} {
  const programs = programsOfPage();
  const write = (path: string, name: string) => {
    const target = join(dir, name);
    fs.writeFileSync(target, programs.get(path) ?? "", { mode: 0o644, flag: "wx" });
    fs.chmodSync(target, 0o755);
    return target;
  };
  return {
    publish: write("examples/shell/publish.sh", "publish.sh"),
    subscribe: write("examples/shell/subscribe.sh", "subscribe.sh"),
    python: write("examples/python/agentbus.py", "agentbus.py"),
    pipeSend: write("examples/shell/pipe-send.sh", "pipe-send.sh"),
    pythonPipeSend: write("examples/python/pipe_send.py", "pipe_send.py"),
  };
}

/** All that the shell programs may call: POSIX's, so not jq, mktemp, stat or getent. */
const POSIX_TOOLS = "awk cat chmod date dd grep id ln ls mkdir mkfifo mv rm sed sh sleep tr".split(" ");

/** A PATH on which there is nothing else. */
export function posixPath(scratchDir: string): string {
  const dir = join(scratchDir, "posix");
  fs.mkdirSync(dir);
  for (const tool of POSIX_TOOLS) {
    const where = (process.env["PATH"] ?? "").split(":").find((each) => fs.existsSync(join(each, tool)));
    if (where !== undefined) fs.symlinkSync(join(where, tool), join(dir, tool));
  }
  return dir;
}

/** What `test(name, { skip })` takes. */
export const NEEDS_PYTHON: string | false =
  process.platform !== "linux"
    ? "skipped: the Python client is for Linux"
    : spawnSync("python3", ["--version"]).status === 0
      ? false
      : "skipped: there is no python3";
