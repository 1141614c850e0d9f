import { mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { watch } from "chokidar";
import { envelopeOf, type BenchEnvelope } from "../envelope.js";
import type { Transport } from "./transport.js";

/**
 * What one would write in an afternoon: a file is written aside, renamed into a watched directory, read, and removed. The calls
 * are the synchronous ones, which are the faster ones here. It checks nothing, and a crash of the reader may lose a message.
 */
export const naiveSpool: Transport = {
  name: "naive-spool",
  description: "write a file, rename it, chokidar's watch, read, parse, unlink; in any order",
  // chokidar reports what it finds in one look in no particular order.
  keepsOrder: false,

  async start(dir) {
    mkdirSync(`${dir}/tmp`);
    mkdirSync(`${dir}/new`);
    return async () => undefined;
  },

  async receive(dir, onEnvelope) {
    const watcher = watch(`${dir}/new`).on("add", (path) => {
      const envelope = JSON.parse(readFileSync(path, "utf8")) as BenchEnvelope;
      onEnvelope(envelope);
      unlinkSync(path);
    });
    await once(watcher, "ready");
    return { close: () => watcher.close() };
  },

  async send(dir) {
    return {
      send: (payload) => {
        writeFileSync(`${dir}/tmp/${payload.serial}`, JSON.stringify(envelopeOf(payload)));
        renameSync(`${dir}/tmp/${payload.serial}`, `${dir}/new/${payload.serial}`);
      },
      close: async () => undefined,
    };
  },
};
