import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";

export interface LoginShell {
  /** undefined when it could not be found out. */
  readonly umask?: number;
  readonly path?: readonly string[];
  /** Why it could not. */
  readonly failure?: string;
}

const ANSWER_WITHIN_MS = 10_000;
const MAX_OUTPUT_BYTES = 256 * 1024;

/**
 * Starts the account's login shell, which reads its start files, and looks at what became of it. The umask is what the kernel says where
 * it does (proc_pid_status(5)), for the shell may print anything.
 */
export function startLoginShell(shell: string, home: string, user: string): Promise<LoginShell> {
  return (started ??= start(shell, home, user));
}

/** Once is enough, and start files may be slow. */
let started: Promise<LoginShell> | undefined;

function start(shell: string, home: string, user: string): Promise<LoginShell> {
  const marker = randomBytes(12).toString("hex");
  const command = `printf '%s|%s|%s|\\n' ${marker} "$PATH" "$(umask)"; exec /bin/cat`;
  const env = { HOME: home, USER: user, LOGNAME: user, SHELL: shell, TERM: "dumb", PATH: process.env["PATH"] ?? "" };
  const child = spawn(shell, ["-l", "-c", command], {
    stdio: ["pipe", "pipe", "ignore"],
    cwd: fs.existsSync(home) ? home : "/",
    env,
    // A session of its own, so that all of it can be ended.
    detached: true,
  });
  return new Promise((resolve) => {
    let output = "";
    const finish = (result: LoginShell) => {
      clearTimeout(timer);
      endSession(child.pid);
      resolve(result);
    };
    const timer = setTimeout(
      () => finish({ failure: `it did not get ready within ${ANSWER_WITHIN_MS / 1_000} s` }),
      ANSWER_WITHIN_MS,
    );
    child.on("error", (error) => finish({ failure: error.message }));
    child.on("exit", (code, signal) => finish({ failure: `it ended by itself (${signal ?? `exit code ${code}`})` }));
    child.stdin.on("error", () => undefined);
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString("latin1");
      if (output.length > MAX_OUTPUT_BYTES) return finish({ failure: "its start files print without an end" });
      const [, path = "", printed = ""] = new RegExp(`${marker}\\|([^|]*)\\|([^|]*)\\|`).exec(output) ?? [];
      if (printed === "") return;
      const umask = umaskOf(child.pid) ?? parseOctal(printed);
      const result = { path: path.split(":") };
      finish(umask === undefined ? { ...result, failure: "its umask is no number" } : { ...result, umask });
    });
  });
}

function umaskOf(pid: number | undefined): number | undefined {
  try {
    return parseOctal(/^Umask:\s*([0-7]+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? "");
  } catch {
    return undefined;
  }
}

function parseOctal(text: string): number | undefined {
  return /^[0-7]{1,4}$/.test(text.trim()) ? Number.parseInt(text, 8) : undefined;
}

function endSession(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    return; // it has ended
  }
}
