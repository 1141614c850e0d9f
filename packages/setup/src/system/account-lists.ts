import type { Account, Group, Machine } from "../machine.js";

/** Lines of passwd(5). */
export function parsePasswd(text: string): Account[] {
  return text.split("\n").flatMap((line) => {
    const [name, , uid, gid, , home, shell] = line.split(":");
    if (name === undefined || name === "" || !isId(uid) || !isId(gid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home: home ?? "", shell: shell ?? "" }];
  });
}

/** Lines of group(5). */
export function parseGroup(text: string): Group[] {
  return text.split("\n").flatMap((line) => {
    const [name, , gid, members = ""] = line.split(":");
    if (name === undefined || name === "" || !isId(gid)) return [];
    return [{ name, gid: Number(gid), members: members.split(",").filter((member) => member !== "") }];
  });
}

/** What dscacheutil(1) prints of users, as blocks of `field: value`. */
export function parseDirectoryUsers(text: string): Account[] {
  return blocks(text).flatMap((fields) => {
    const [name, uid, gid] = [fields.get("name"), fields.get("uid"), fields.get("gid")];
    if (name === undefined || !isId(uid) || !isId(gid)) return [];
    return [
      { name, uid: Number(uid), gid: Number(gid), home: fields.get("dir") ?? "", shell: fields.get("shell") ?? "" },
    ];
  });
}

export function parseDirectoryGroups(text: string): Group[] {
  return blocks(text).flatMap((fields) => {
    const [name, gid] = [fields.get("name"), fields.get("gid")];
    if (name === undefined || !isId(gid)) return [];
    return [{ name, gid: Number(gid), members: (fields.get("users") ?? "").split(" ").filter((user) => user !== "") }];
  });
}

function blocks(text: string): Map<string, string>[] {
  return text.split(/\n\s*\n/).map((block) => {
    const pairs = block.split("\n").map((line) => /^([^:]+): (.*)$/.exec(line) ?? []);
    return new Map(pairs.map(([, field = "", value = ""]) => [field, value.trim()]));
  });
}

/** macOS has uids below 0, nobody's -2 among them. */
function isId(text: string | undefined): text is string {
  return text !== undefined && /^-?[0-9]{1,10}$/.test(text);
}

/** Groups that an account is in besides its primary one. */
export async function supplementaryGroups(machine: Machine, name: string): Promise<string[]> {
  const groups = await machine.groups();
  return groups.filter(({ members }) => members.includes(name)).map((group) => group.name);
}
