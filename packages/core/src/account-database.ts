import { parseGroup, parseUser, type GroupEntry, type UserEntry } from "./account-files.js";
import type { NamedId } from "./name-table.js";
import { isUserName } from "./topics.js";

/** The whole account database of the system: files, LDAP, Active Directory, Open Directory … */
export interface AccountDatabase {
  /** @param key a uid or a name @returns undefined when there is none @throws when the database does not answer */
  findUser(key: number | string): Promise<UserEntry | undefined>;
  findGroup(key: number | string): Promise<GroupEntry | undefined>;
}

const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const GETENT_PATHS = ["/usr/bin/getent", "/bin/getent", "/run/current-system/sw/bin/getent"];
const DSCACHEUTIL_PATHS = ["/usr/bin/dscacheutil"];
/** Of getent(1): the database holds no such key. */
const KEY_NOT_FOUND = 2;

/** Runs one of the tools, whichever exists, and returns what it prints; "" when it finds nothing. */
type RunTool = (paths: readonly string[], args: readonly string[], notFound?: number) => Promise<string>;

/** Node has no getpwnam(3); the system's own tool asks every source that the system is configured for. */
export function systemAccountDatabase(platform = process.platform, run: RunTool = runTool): AccountDatabase {
  return platform === "darwin" ? openDirectory(run) : nameServiceSwitch(run);
}

function nameServiceSwitch(run: RunTool): AccountDatabase {
  const getent = async (database: "passwd" | "group", key: number | string) =>
    (await run(GETENT_PATHS, [database, "--", argument(key)], KEY_NOT_FOUND)).split("\n");
  return {
    findUser: async (key) => answerTo(key, (await getent("passwd", key)).map(parseUser)),
    findGroup: async (key) => answerTo(key, (await getent("group", key)).map(parseGroup)),
  };
}

/** dscacheutil(1) prints `field: value` lines, and exits 0 also when it finds nothing. */
function openDirectory(run: RunTool): AccountDatabase {
  const ask = async (category: "user" | "group", key: number | string) => {
    const field = typeof key === "string" ? "name" : category === "user" ? "uid" : "gid";
    return parseFields(await run(DSCACHEUTIL_PATHS, ["-q", category, "-a", field, argument(key)]));
  };
  return {
    findUser: async (key) => {
      const fields = await ask("user", key);
      return answerTo(key, [parseUser([fields.get("name"), "*", fields.get("uid"), fields.get("gid")].join(":"))]);
    },
    findGroup: async (key) => {
      const fields = await ask("group", key);
      const members = fields.get("users")?.replaceAll(" ", ",");
      return answerTo(key, [parseGroup([fields.get("name"), "*", fields.get("gid"), members].join(":"))]);
    },
  };
}

/** getent takes a name of digits for a uid, so what comes back need not be what was asked for. */
function answerTo<Entry extends NamedId>(key: number | string, entries: (Entry | undefined)[]): Entry | undefined {
  return entries.find((entry) => (typeof key === "number" ? entry?.id : entry?.name) === key);
}

/** Never an option: a uid, or a name that cannot begin with a hyphen. */
function argument(key: number | string): string {
  if (typeof key === "number" ? Number.isSafeInteger(key) && key >= 0 : isUserName(key)) return String(key);
  throw new TypeError(`no account can be called ${JSON.stringify(key)}`);
}

async function runTool(paths: readonly string[], args: readonly string[], notFound?: number): Promise<string> {
  for (const path of paths) {
    const { error, stdout } = await execute(path, args);
    if (error === null) return stdout;
    if (error.code === notFound) return "";
    if (error.code !== "ENOENT") throw new Error(`${path} failed`, { cause: error });
  }
  return ""; // a system without the tool has nothing but its files
}

function execute(path: string, args: readonly string[]): Promise<{ error: { code?: unknown } | null; stdout: string }> {
  const limits = { timeout: TIMEOUT_MS, killSignal: "SIGKILL", maxBuffer: MAX_ANSWER_BYTES } as const;
  // Its own environment: nothing of the agent's may change what a C library loads or prints.
  const options = { ...limits, encoding: "latin1", env: { LC_ALL: "C" }, cwd: "/" } as const;
  // Loaded only here: most accounts are in the local files.
  const { execFile } = process.getBuiltinModule("node:child_process");
  return new Promise((resolve) => execFile(path, args, options, (error, stdout) => resolve({ error, stdout })));
}

/** The first entry of several, which an empty line separates. */
function parseFields(text: string): Map<string, string> {
  const [entry = ""] = text.split("\n\n");
  const pairs = entry.split("\n").map((line) => /^([^:]+): (.*)$/.exec(line) ?? []);
  return new Map(pairs.map(([, field = "", value = ""]) => [field, value.trim()]));
}
