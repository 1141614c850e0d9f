import fs from "node:fs";
import type { Origin } from "../ledger.js";
import { BEGIN, END, isShellBlock } from "../plan/home-files.js";
import { Unfit, type Home } from "./home.js";

/** setup makes a file readable and writable for its owner before it writes to it. */
const MADE_USABLE = 0o600;

/**
 * Takes setup's block out of a shell file. What is around it stays, byte for byte; a file that setup has made, and nobody has written to, goes.
 * A block that somebody has changed is left, since those lines are not setup's alone any more.
 * @param origin what the ledger says of the file; undefined: nothing
 */
export function takeOutBlock(home: Home, path: string, origin: Origin | undefined): void {
  home.withFile(path, origin?.before === "link", (file) => {
    const { rest, found } = withoutBlocks(home.read(file));
    if (rest.length === 0 && origin?.how === "made") return fs.rmSync(file.path, { force: true });
    const present = file.stat.mode & 0o7777;
    const mode = oldMode(origin, present);
    if (found) home.replace(file, rest, mode);
    else if (mode !== present) fs.fchmodSync(file.fd, mode);
  });
}

/** What setup has not changed, or somebody has changed since, stays. */
function oldMode(origin: Origin | undefined, present: number): number {
  if (origin?.before === undefined || !/^[0-7]{4}$/.test(origin.before)) return present;
  const before = Number.parseInt(origin.before, 8);
  return (before | MADE_USABLE) === present ? before : present;
}

/** @throws Unfit where it cannot be told what is setup's */
function withoutBlocks(bytes: Buffer): { rest: Buffer; found: boolean } {
  // One character for each byte, whatever it means.
  const lines = bytes.toString("latin1").split("\n");
  const rest: string[] = [];
  let block: string[] | undefined;
  let found = false;
  for (const line of lines) {
    if ((line === BEGIN && block !== undefined) || (line === END && block === undefined))
      throw new Unfit(`has a line '${line}' that belongs to no block`);
    if (line === BEGIN) block = [];
    if (block === undefined) rest.push(line);
    else block.push(line);
    if (line !== END || block === undefined) continue;
    if (!isShellBlock(Buffer.from(block.join("\n"), "latin1").toString("utf8")))
      throw new Unfit("has a block of setup that somebody has changed");
    [block, found] = [undefined, true];
  }
  if (block !== undefined) throw new Unfit(`has a line '${BEGIN}' without its '${END}'`);
  return { rest: Buffer.from(rest.join("\n"), "latin1"), found };
}
