import type { PathType } from "./permissions.js";

/** What an account may do with a path, as inode(7) and the sticky bit of unlink(2) have it. */
export type Right =
  | "list" // see the names in it
  | "enter" // use what is in it by name
  | "add"
  | "remove own"
  | "remove all" // also what belongs to others; includes renaming
  | "read"
  | "write"
  | "connect";

/** Which of the three sets of permission bits applies: those of the owner, of the group's members, of all others. */
export type Role = "owner" | "member" | "outsider";

const SHIFT: Readonly<Record<Role, number>> = { owner: 6, member: 3, outsider: 0 };
const STICKY = 0o1000;

/** What a mode lets the owner, a member of the group, or anybody else do with this one path. */
export function rightsOf(type: PathType, mode: number, role: Role): Right[] {
  const bits = (mode >> SHIFT[role]) & 7;
  const [r, w, x] = [(bits & 4) !== 0, (bits & 2) !== 0, (bits & 1) !== 0];
  const rights: Right[] = [];
  if (type === "socket") {
    if (w) rights.push("connect");
  } else if (type === "directory") {
    if (r) rights.push("list");
    if (x) rights.push("enter");
    if (w && x) rights.push("add", role !== "owner" && (mode & STICKY) !== 0 ? "remove own" : "remove all");
  } else {
    if (r) rights.push("read");
    if (w) rights.push("write");
  }
  return rights;
}

/** What each role may do under one mode and not under the other; roles without a difference are left out. */
export function rightsBeyond(type: PathType, mode: number, other: number): ReadonlyMap<Role, Right[]> {
  const beyond = new Map<Role, Right[]>();
  for (const role of ["owner", "member", "outsider"] as const) {
    const allowed = rightsOf(type, other, role);
    if (allowed.includes("remove all")) allowed.push("remove own");
    const more = rightsOf(type, mode, role).filter((right) => !allowed.includes(right));
    if (more.length > 0) beyond.set(role, more);
  }
  return beyond;
}
