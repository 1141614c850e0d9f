import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Caretaker } from "./caretaker.js";
import { PersonalSpool } from "./personal-spool.js";

/** What `test(name, { skip })` takes: false where a filesystem can be mounted. */
export const NEEDS_MOUNTS: string | false = whySkipped() ?? false;

function whySkipped(): string | undefined {
  if (process.platform !== "linux") return "skipped: it needs Linux, for its tmpfs";
  if (process.geteuid?.() !== 0) return "skipped: it needs root, to mount a tmpfs";
  // In a namespace of its own, so that the try leaves nothing behind.
  const { status, stderr } = spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], {
    encoding: "utf8",
  });
  return status === 0 ? undefined : `skipped: a tmpfs cannot be mounted here (${stderr?.trim() ?? "no unshare"})`;
}

/** A filesystem of 64 pages or 200 inodes with a personal spool on it, unmounted after the test however that ends. */
export class TinyDisk {
  private constructor(
    readonly dir: string,
    readonly spool: PersonalSpool,
  ) {}

  static async make(context: TestContext): Promise<TinyDisk> {
    const caretaker = new Caretaker();
    const spools: PersonalSpool[] = [];
    context.after(async () => {
      for (const spool of spools) await spool.remove();
      await caretaker.end();
    });
    const { dir = "" } = await caretaker.ask({ do: "make directory", prefix: join(tmpdir(), "agentbus-disk-") });
    await caretaker.ask({ do: "mount tmpfs", dir, options: "size=256k,nr_inodes=200" });
    const spool = await PersonalSpool.make(context, dir);
    spools.push(spool);
    return new TinyDisk(dir, spool);
  }

  get freeInodes(): number {
    return fs.statfsSync(this.dir).ffree;
  }

  get freeBytes(): number {
    const { bavail, bsize } = fs.statfsSync(this.dir);
    return bavail * bsize;
  }

  /** Takes up all the room that is left. */
  fill(): void {
    const page = Buffer.alloc(4096);
    untilFull(() => fs.appendFileSync(join(this.dir, "ballast"), page));
  }

  makeRoom(): void {
    fs.rmSync(join(this.dir, "ballast"));
  }

  /** Takes up all inodes but so many. */
  fillInodes(left = 0): void {
    fs.mkdirSync(join(this.dir, "inodes"), { recursive: true });
    while (this.freeInodes > left) this.#takeInode();
  }

  makeInodes(): void {
    fs.rmSync(join(this.dir, "inodes"), { recursive: true });
  }

  #takeInode(): void {
    fs.writeFileSync(join(this.dir, "inodes", `${this.freeInodes}`), "");
  }
}

function untilFull(take: () => void): void {
  try {
    for (;;) take();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}
