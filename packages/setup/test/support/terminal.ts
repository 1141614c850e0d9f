import { spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { SandboxMachine } from "./sandbox-machine.js";

/** What `test(name, { skip })` takes: false where there is something that makes terminals. */
export const NEEDS_SCRIPT: string | false =
  spawnSync("script", ["--version"]).status === 0 ? false : "needs script (util-linux)";

/** Control characters, as the keyboard sends them. */
export const KEYS = { ctrlC: "\x03", ctrlD: "\x04" } as const;

/** A command on a terminal of its own, by script(1), and a person in front of it, who reads before typing. */
export class Terminal {
  /** All that was on it. */
  screen = "";
  readonly #machine: SandboxMachine;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #look: () => void = () => undefined;

  private constructor(machine: SandboxMachine, child: ChildProcess) {
    this.#machine = machine;
    this.#child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.screen += text.replaceAll("\r\n", "\n");
      this.#look();
    });
    this.#ended = once(child, "close").then(([code]) => {
      this.#look();
      return code as number;
    });
  }

  /** @param command for sh */
  static open(machine: SandboxMachine, command: string, env: NodeJS.ProcessEnv = {}): Terminal {
    const argv = ["script", "--quiet", "--return", "--flush", "--command", command, "/dev/null"];
    return new Terminal(machine, machine.start(argv, { TERM: "xterm", ...env }));
  }

  /** Waits until it shows this, behind what it showed when something was typed last. */
  async shows(pattern: RegExp): Promise<void> {
    let hasEnded = false;
    void this.#ended.then(() => (hasEnded = true));
    while (!pattern.test(this.screen.slice(this.#read))) {
      if (hasEnded) throw new Error(`it has ended without ${pattern}:\n${this.screen}`);
      await new Promise<void>((resolve) => (this.#look = resolve));
    }
  }

  #read = 0;

  type(keys: string): void {
    this.#read = this.screen.length;
    this.#child.stdin?.write(keys);
  }

  /** As when its window is closed; of all that the machine has. */
  close(): void {
    this.#machine.must(["pkill", "-KILL", "-x", "script"]);
  }

  /** @returns what the command has ended with */
  ended(): Promise<number> {
    return this.#ended;
  }
}
