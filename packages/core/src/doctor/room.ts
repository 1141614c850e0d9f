import fs from "node:fs";
import { shellQuote } from "../shell-command.js";
import type { ExaminedSpool } from "./examined.js";
import { finding, type Finding, type Severity } from "./finding.js";

const CHECK = "room";
const MIB = 1024 * 1024;

/** Free space and free inodes: every message takes one of the latter, however short it is. */
export function examineRoom(spool: ExaminedSpool): Finding[] {
  let room: fs.StatsFs;
  try {
    room = fs.statfsSync(spool.path);
  } catch {
    return [];
  }
  return roomFindings(spool.path, room);
}

/** The same, for what statfs(2) says. */
export function roomFindings(
  path: string,
  room: Pick<fs.StatsFs, "bsize" | "blocks" | "bavail" | "files" | "ffree">,
): Finding[] {
  const free = room.bavail * room.bsize;
  const space = severityOf(free / MIB, room.bavail / room.blocks, { scarce: 1, few: 1_024, enough: 10_240 });
  // Filesystems that make inodes as they need them, such as btrfs, say that they have none.
  const inodes =
    room.files === 0
      ? undefined
      : severityOf(room.ffree, room.ffree / room.files, { scarce: 100, few: 10_000, enough: 100_000 });
  const quoted = shellQuote(path);
  return [
    ...(space === undefined
      ? []
      : [
          finding(space, CHECK, `${Math.floor(free / MIB)} MiB are free where the spool is`, {
            path,
            fix: `df -h ${quoted}`,
          }),
        ]),
    ...(inodes === undefined
      ? []
      : [
          finding(inodes, CHECK, `${room.ffree} inodes are free where the spool is, and every message takes one`, {
            path,
            fix: `df -i ${quoted}`,
          }),
        ]),
  ];
}

/** A small share of a small disk is little; of a large one it may still be plenty. */
function severityOf(
  free: number,
  share: number,
  { scarce, few, enough }: { scarce: number; few: number; enough: number },
): Severity | undefined {
  if (free < scarce || (share < 0.01 && free < few)) return "error";
  return share < 0.05 && free < enough ? "warning" : undefined;
}
