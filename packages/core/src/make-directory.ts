import fs from "node:fs";
import { basename, dirname } from "node:path";
import { BusError, errnoOf } from "./errors.js";
import { closeQuietly, type FileSystem } from "./file-system.js";
import { octal } from "./permissions.js";

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
const PERMISSIONS = 0o7777;
const SETGID = 0o2000;

/**
 * Makes a directory with exactly this mode, whatever the umask. On the way it never has more rights than that, since mkdir(2)
 * and the umask only take away; a crash on the way leaves it with fewer.
 *
 * systemd's `RestrictSUIDSGID=` (systemd.exec(5)) refuses with EPERM every mkdir and chmod whose mode has the setgid bit.
 * Hence the bit is not asked for but inherited from the parent directory (inode(7)), and chmod is called only where the
 * result still differs: the umask took something, or the parent has no setgid bit.
 *
 * @throws the system's error, EEXIST among them; BusError ERR_ACCESS when the mode cannot be had
 */
export function makeDirectory(fileSystem: FileSystem, path: string, mode: number): void {
  fileSystem.mkdir(path, mode & ~SETGID);
  if (modeOf(fileSystem, path) === mode || changeMode(fileSystem, path, mode)) return;
  fileSystem.rmdir(path);
  const failure = makeInChild(path, mode & ~SETGID);
  if (failure === "EEXIST") throw Object.assign(new Error(`EEXIST: ${path} was made meanwhile`), { code: failure });
  if (failure !== undefined) throw cannotHave(path, mode, failure);
  if (modeOf(fileSystem, path) === mode || changeMode(fileSystem, path, mode)) return;
  const actual = modeOf(fileSystem, path);
  fileSystem.rmdir(path); // Nobody shall take it for a finished one.
  throw cannotHave(path, mode, `it gets ${octal(actual)}, and chmod is refused`);
}

function cannotHave(path: string, mode: number, why: string): BusError {
  return new BusError("ERR_ACCESS", `cannot make ${path} with mode ${octal(mode)}: ${why}`, {
    path,
    fix: "set UMask=0007 in the service's unit, or let this account use the bus once outside of the service: agentbus status",
  });
}

function modeOf(fileSystem: FileSystem, path: string): number {
  return fileSystem.lstat(path).mode & PERMISSIONS;
}

/** By descriptor: where others may rearrange the parent, the name could by now lead to another directory of ours. */
function changeMode(fileSystem: FileSystem, path: string, mode: number): boolean {
  let fd: number;
  try {
    fd = fileSystem.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === "EACCES") return false; // A umask that takes even its owner's right to read.
    throw error;
  }
  try {
    fileSystem.fchmod(fd, mode);
    // chmod(2) drops the setgid bit without a word when the group is none of this process's own.
    return (fileSystem.fstat(fd).mode & PERMISSIONS) === mode;
  } catch (error) {
    if (errnoOf(error) === "EPERM") return false;
    throw error;
  } finally {
    closeQuietly(fileSystem, fd);
  }
}

/**
 * Under `RestrictSUIDSGID=` with a strict umask no chmod can mend the mode: with the setgid bit it is refused, without
 * it clears the inherited one. Only a mkdir under another umask can. The umask belongs to the whole process: changing it here,
 * however briefly, would let a file that another thread creates at that moment be wider than its maker asked for (and Node's
 * workers may not change it at all). Hence a child, some 40 ms, once for each directory. It is a Node and not a shell, because the
 * mkdir(1) of coreutils sets the sticky bit by a chmod of its own.
 *
 * @returns the errno, or why no child could try
 */
function makeInChild(path: string, mode: number): string | undefined {
  // Loaded only here: hardly any process needs them, and every one would wait for them.
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  if (process.getBuiltinModule("node:sea").isSea()) {
    // In a single executable application execPath is the application.
    return "chmod is refused, and no other Node is at hand to make it";
  }
  const child = spawnSync(process.execPath, ["--eval", MAKE_WITHOUT_UMASK, "--", basename(path), String(mode)], {
    // Entered before exec, so a parent that is named by one of our descriptors (/proc/self/fd/7) is found as well.
    cwd: dirname(path),
    env: { ELECTRON_RUN_AS_NODE: "1" },
    encoding: "utf8",
  });
  if (child.status === 0) return undefined;
  return (
    child.stdout?.trim() || child.error?.message || child.stderr?.trim().split("\n").at(-1) || "a child process failed"
  );
}

const MAKE_WITHOUT_UMASK = `
process.umask(0);
try {
  require("node:fs").mkdirSync("./" + process.argv[1], Number(process.argv[2]));
} catch (error) {
  console.log(error.code);
  process.exitCode = 1;
}`;
