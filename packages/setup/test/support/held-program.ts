import { once } from "node:events";
import type { SandboxMachine } from "./sandbox-machine.js";

/** A program of a machine that waits, each time that it is started, until it is let go: whoever runs it is surely in the middle of that. */
export class HeldProgram {
  readonly #machine: SandboxMachine;
  readonly #path: string;

  private constructor(machine: SandboxMachine, path: string) {
    this.#machine = machine;
    this.#path = path;
  }

  static hold(machine: SandboxMachine, path: string): HeldProgram {
    machine.write("/mnt/held", '#!/bin/sh\necho here > /mnt/reached; read -r _ < /mnt/gate; exec /mnt/program "$@"\n');
    machine.sh(`mkfifo /mnt/reached /mnt/gate; cp -p ${path} /mnt/program; chmod 0755 /mnt/held
      mount --bind /mnt/held ${path}`);
    return new HeldProgram(machine, path);
  }

  /** Waits until somebody has started it. */
  async reached(): Promise<void> {
    await once(this.#machine.start(["cat", "/mnt/reached"]), "close");
  }

  /** From now on it is as it was. */
  letGo(): void {
    this.#machine.sh(`umount --lazy ${this.#path}; echo > /mnt/gate`);
  }
}
