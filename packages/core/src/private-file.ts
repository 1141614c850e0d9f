import fs from "node:fs";
import { ignoreMissing, type Directory } from "./directory.js";
import { writeAll } from "./file-system.js";
import type { Spool } from "./spool.js";

const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = fs.constants;

/**
 * Writes a file of our own so that it is there whole or not at all; it replaces one of the same name.
 * @throws the system's error, with nothing left behind
 */
export function writeOwnFile(spool: Spool, directory: Directory, name: string, text: string, mode: number): void {
  const { fileSystem } = spool;
  const draft = directory.atOwn(`.${process.pid}-${spool.names.random(16)}.draft`);
  const fd = fileSystem.open(draft, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode);
  try {
    try {
      writeAll(fileSystem, fd, Buffer.from(text));
      fileSystem.fchmod(fd, mode);
    } finally {
      fileSystem.close(fd);
    }
    fileSystem.rename(draft, directory.atOwn(name));
  } catch (error) {
    ignoreMissing(() => fileSystem.unlink(draft));
    throw error;
  }
}
