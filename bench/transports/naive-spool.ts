import { mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { watch } from "chokidar";
import { parseEnvelope, textOf } from "../envelope.js";
import { NOTHING_STARTED, type Transport } from "./transport.js";

/**
 * What one would write in an afternoon: a file is written aside, renamed into a watched directory, read, and removed. The calls
 * are the synchronous ones, which are the faster ones here. It checks nothing, and a crash of the reader may lose a message.
 */
export const naiveSpool: Transport = {
  name: "naive-spool",
  description: "write a file, rename it, chokidar's watch, read, parse, unlink; in any order",
  durability: "process",
  // chokidar reports what it finds in one look in no particular order.
  keepsOrder: false,
  acknowledges: true,
  fansOut: false,
  reachesDisk: false,

  missing: async () => undefined,

  async start({ dir }) {
    mkdirSync(`${dir}/tmp`);
    mkdirSync(`${dir}/new`);
    return NOTHING_STARTED;
  },

  async receive({ dir }, onEnvelope) {
    const watcher = watch(`${dir}/new`).on("add", (path) => {
      const text = textAt(path);
      if (text === undefined) return;
      onEnvelope(parseEnvelope(text));
      unlinkSync(path);
    });
    await once(watcher, "ready");
    return { close: () => watcher.close() };
  },

  async send({ dir }) {
    return {
      send: (payload) => {
        writeFileSync(`${dir}/tmp/${payload.serial}`, textOf(payload));
        renameSync(`${dir}/tmp/${payload.serial}`, `${dir}/new/${payload.serial}`);
      },
      close: async () => undefined,
    };
  },
};

/** undefined when it is gone: chokidar may report a file that comes and goes quickly twice. */
function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
