import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemAccountDatabase, type AccountDatabase } from "#core/account-database.js";
import type { GroupEntry, UserEntry } from "#core/account-files.js";
import { Accounts } from "#core/accounts.js";

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), "agentbus-accounts-"));
});
after(() => rmSync(dir, { recursive: true }));

describe("the local files", () => {
  test("name a uid and an account both ways", () => {
    const accounts = open({ passwd: "alice:x:1001:100:Alice:/home/alice:/bin/sh\nbob:x:1002:100::/:\n" });
    assert.equal(accounts.userOf(1001), "alice");
    assert.equal(accounts.uidOf("bob"), 1002);
    assert.equal(accounts.userOf(1003), undefined);
    assert.equal(accounts.uidOf("carol"), undefined);
  });

  test("may give one uid several names: each leads to it, and it is called by the first", () => {
    const accounts = open({ passwd: "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n" });
    assert.equal(accounts.userOf(0), "root");
    assert.equal(accounts.uidOf("root"), 0);
    assert.equal(accounts.uidOf("toor"), 0);
  });

  test("may hold an account twice: the first entry counts, as for getpwnam(3)", () => {
    const accounts = open({ passwd: "alice:x:1001:100::/:\nalice:x:0:0::/:\n" });
    assert.equal(accounts.uidOf("alice"), 1001);
  });

  test("may be hostile or odd in any line: the others count", () => {
    const odd = [
      "# a comment: with:1:2",
      "+::::::",
      "+nis:x:5000:100::/:",
      "-nis:x:5001:100::/:",
      "",
      "short:x",
      "nogid:x:5002",
      "word:x:five:100::/:",
      "negative:x:-1:100::/:",
      "nobody32:x:4294967295:100::/:",
      "hex:x:0x10:100::/:",
      "../etc:x:5003:100::/:",
      "DOMAIN\\eve:x:5004:100::/:",
      "caf\u00e9:x:5005:100::/:",
      `${"a".repeat(65)}:x:5006:100::/:`,
      "alice:x:1001:100::/:\r",
      "  bob:x:1002:100::/:",
      ":x:5007:100::/:",
      "last:x:1003:100",
    ];
    const accounts = open({ passwd: odd.join("\n") });
    assert.deepEqual(
      ["alice", "bob", "last"].map((user) => accounts.uidOf(user)),
      [1001, 1002, 1003],
    );
    for (const user of [
      "#",
      "+nis",
      "nis",
      "-nis",
      "short",
      "word",
      "negative",
      "nobody32",
      "hex",
      "../etc",
      "DOMAIN\\eve",
      "",
    ]) {
      assert.equal(accounts.uidOf(user), undefined, user);
    }
    for (let uid = 5000; uid < 5008; uid++) assert.equal(accounts.userOf(uid), undefined, String(uid));
  });

  test("may be missing, as in a container", () => {
    const accounts = new Accounts({
      passwdPath: join(dir, "none"),
      groupPath: join(dir, "none"),
      database: noDatabase,
    });
    assert.equal(accounts.userOf(0), undefined);
  });

  test("are read again when they have changed, so that a recycled uid is not taken for its former owner", () => {
    const accounts = open({ passwd: "alice:x:1001:100::/:\n" });
    writeFileSync(join(dir, "new"), "mallory:x:1001:100::/:\n");
    renameSync(join(dir, "new"), join(dir, "passwd"));
    accounts.refresh();
    assert.equal(accounts.userOf(1001), "mallory");
    assert.equal(accounts.uidOf("alice"), undefined);
    appendFileSync(join(dir, "passwd"), "alice:x:1002:100::/:\n");
    accounts.refresh();
    assert.equal(accounts.uidOf("alice"), 1002);
  });
});

describe("a uid without an account", () => {
  test("is called uid<number>, both ways, once the database has been asked", async () => {
    const accounts = open({});
    assert.equal(accounts.userOf(7001), undefined);
    assert.equal(await accounts.findUser(7001), "uid7001");
    assert.equal(accounts.userOf(7001), "uid7001");
    assert.equal(accounts.uidOf("uid7001"), 7001);
    assert.equal(await accounts.findUid("uid7002"), 7002);
  });

  test("lends its number to no one: uid0 is not root, and an account of that name is not that uid", async () => {
    const accounts = open({ passwd: "root:x:0:0::/:\nuid7001:x:1001:100::/:\n" });
    assert.equal(await accounts.findUid("uid0"), undefined);
    assert.equal(await accounts.findUid("uid7001"), 1001);
    assert.equal(await accounts.findUser(7001), undefined);
  });

  test("is spelled in one way only", async () => {
    const accounts = open({});
    for (const name of ["uid07001", "uid+1", "uid", "uid4294967295", "uid99999999999", "UID7"]) {
      assert.equal(await accounts.findUid(name), undefined, name);
    }
  });

  test("gets its name as soon as an account is made for it", async () => {
    const accounts = open({});
    assert.equal(await accounts.findUser(7001), "uid7001");
    appendFileSync(join(dir, "passwd"), "late:x:7001:100::/:\n");
    accounts.refresh();
    assert.equal(accounts.userOf(7001), "late");
    assert.equal(accounts.uidOf("uid7001"), undefined);
  });
});

describe("the account database", () => {
  test("is asked for what the files do not know, and its answer serves the lookups that do not wait", async () => {
    const database = fakeDatabase([{ name: "ldap", id: 9001, gid: 100 }]);
    const accounts = open({ passwd: "alice:x:1001:100::/:\n", database });
    assert.equal(await accounts.findUser(9001), "ldap");
    assert.equal(accounts.userOf(9001), "ldap");
    assert.equal(accounts.uidOf("ldap"), 9001);
    assert.equal(await accounts.findUid("alice"), 1001);
    assert.deepEqual(database.asked, [9001]);
  });

  test("is asked once, however many want to know", async () => {
    const database = fakeDatabase([{ name: "ldap", id: 9001, gid: 100 }]);
    const accounts = open({ database });
    await Promise.all(Array.from({ length: 50 }, () => accounts.findUid("ldap")));
    await accounts.findUid("ldap");
    assert.deepEqual(database.asked, ["ldap"]);
  });

  test("that knows a second name of a uid does not rename it", async () => {
    const both = [
      { name: "ldap", id: 9001, gid: 100 },
      { name: "alias", id: 9001, gid: 100 },
    ];
    const accounts = open({ database: fakeDatabase(both) });
    assert.equal(await accounts.findUser(9001), "ldap");
    assert.equal(await accounts.findUid("alias"), 9001);
    assert.equal(accounts.userOf(9001), "ldap");
  });

  test("that does not answer leaves an account unknown, rather than turn it into uid<number>", async () => {
    const database: AccountDatabase = {
      findUser: () => Promise.reject(new Error("timed out")),
      findGroup: () => Promise.reject(new Error("timed out")),
    };
    const accounts = open({ passwd: "alice:x:1001:100::/:\n", database });
    assert.equal(await accounts.findUser(9001), undefined);
    assert.equal(await accounts.findUid("uid9001"), undefined);
    assert.equal(await accounts.findUser(1001), "alice");
    assert.deepEqual(await accounts.membersOf("nobody-knows"), []);
  });

  test("is never asked for a name that could be an option, a path or a uid", async () => {
    const database = fakeDatabase([]);
    const accounts = open({ database });
    for (const name of ["--service=x", "-s", "a b", "a:b", "../x", "", "x\n", "a\0"]) {
      assert.equal(await accounts.findUid(name), undefined);
      assert.equal(await accounts.findGroupId(name), undefined);
    }
    assert.deepEqual(database.asked, []);
  });
});

describe("groups", () => {
  test("have members by the group file, by the database, and by being somebody's main group", async () => {
    const database = fakeDatabase([], [{ name: "agents", id: 2000, members: ["dave", "bob"] }]);
    const accounts = open({
      passwd: "alice:x:1001:2000::/:\nbob:x:1002:100::/:\n",
      group: "agents:x:2000:bob,carol,../x\nother:x:2001:eve\n",
      database,
    });
    assert.deepEqual(await accounts.membersOf("agents"), ["alice", "bob", "carol", "dave"]);
    assert.deepEqual(await accounts.membersOf("unknown"), []);
    assert.equal(accounts.groupOf(2000), "agents");
    assert.equal(accounts.groupIdOf("other"), 2001);
  });

  test("that only the database knows are found by name and by number", async () => {
    const accounts = open({ database: fakeDatabase([], [{ name: "staff", id: 3000, members: [] }]) });
    assert.equal(await accounts.findGroupId("staff"), 3000);
    assert.equal(await accounts.findGroup(3000), "staff");
    assert.equal(await accounts.findGroup(3001), undefined);
  });
});

describe(
  "the system's own account database",
  { skip: process.platform === "linux" ? false : "asks getent(1), which is Linux's" },
  () => {
    const database = systemAccountDatabase("linux");

    test("knows root by name and by uid", async () => {
      assert.deepEqual(await database.findUser("root"), { name: "root", id: 0, gid: 0 });
      assert.deepEqual(await database.findUser(0), { name: "root", id: 0, gid: 0 });
      assert.equal((await database.findGroup(0))?.name, "root");
    });

    test("does not take a name of digits for a uid", async () => {
      assert.equal(await database.findUser("0"), undefined);
      assert.equal(await database.findGroup("0"), undefined);
    });

    test("says of an unknown account that there is none", async () => {
      assert.equal(await database.findUser("no-such-account"), undefined);
      assert.equal(await database.findUser(4_294_000_000), undefined);
    });

    test("refuses an argument that getent would take for an option", async () => {
      await assert.rejects(async () => database.findUser("--help"), TypeError);
      await assert.rejects(async () => database.findUser(-1), TypeError);
    });
  },
);

describe("Open Directory", () => {
  // As dscacheutil(1) of macOS prints them.
  const answers: Record<string, string> = {
    "user name alice":
      "name: alice\npassword: ********\nuid: 501\ngid: 20\ndir: /Users/alice\nshell: /bin/zsh\ngecos: Alice: A\n\n",
    "user uid 501":
      "name: alice\npassword: ********\nuid: 501\ngid: 20\ndir: /Users/alice\nshell: /bin/zsh\ngecos: Alice\n\n",
    "group gid 20": "name: staff\npassword: *\ngid: 20\nusers: root alice \n\n",
    "group name empty": "name: empty\npassword: *\ngid: 21\n\n",
  };
  const database = systemAccountDatabase("darwin", (_paths, args) =>
    Promise.resolve(answers[`${args[1]} ${args[3]} ${args[4]}`] ?? ""),
  );

  test("is understood for users and groups, by name and by number", async () => {
    assert.deepEqual(await database.findUser("alice"), { name: "alice", id: 501, gid: 20 });
    assert.deepEqual(await database.findUser(501), { name: "alice", id: 501, gid: 20 });
    assert.deepEqual(await database.findGroup(20), { name: "staff", id: 20, members: ["root", "alice"] });
    assert.deepEqual(await database.findGroup("empty"), { name: "empty", id: 21, members: [] });
  });

  test("answers nothing for what it does not know", async () => {
    assert.equal(await database.findUser("bob"), undefined);
    assert.equal(await database.findGroup(22), undefined);
  });
});

describe("the account of this process", () => {
  test("is that of the effective uid", () => {
    assert.deepEqual(new Accounts().currentUser(), { user: userInfo().username, uid: process.geteuid?.() });
  });

  test("is uid<number> in a container that has no account for it", { skip: needsRoot() }, () => {
    const output = asUid(7654, `console.log(JSON.stringify(new Accounts().currentUser()))`);
    assert.deepEqual(JSON.parse(output), { user: "uid7654", uid: 7654 });
  });

  test("is refused when another account bears that name", { skip: needsRoot() }, () => {
    writeFileSync(join(dir, "passwd"), "uid7654:x:1001:100::/:\n", { mode: 0o644 });
    const sources = JSON.stringify({ passwdPath: join(dir, "passwd") });
    execFileSync("chmod", ["755", dir]);
    const output = asUid(
      7654,
      `try { new Accounts(${sources}).currentUser() } catch (error) { console.log(error.code) }`,
    );
    assert.equal(output.trim(), "ERR_ACCOUNT");
  });
});

const noDatabase = fakeDatabase([]);

function open({
  passwd = "",
  group = "",
  database = noDatabase,
}: {
  passwd?: string;
  group?: string;
  database?: AccountDatabase;
}) {
  writeFileSync(join(dir, "passwd"), passwd, "latin1");
  writeFileSync(join(dir, "group"), group, "latin1");
  return new Accounts({ passwdPath: join(dir, "passwd"), groupPath: join(dir, "group"), database });
}

function fakeDatabase(users: UserEntry[], groups: GroupEntry[] = []): AccountDatabase & { asked: (number | string)[] } {
  const asked: (number | string)[] = [];
  const find = async <Entry extends { name: string; id: number }>(entries: Entry[], key: number | string) => {
    asked.push(key);
    return entries.find(({ name, id }) => name === key || id === key);
  };
  return { asked, findUser: (key) => find(users, key), findGroup: (key) => find(groups, key) };
}

function needsRoot(): string | false {
  return process.geteuid?.() === 0 ? false : "only root can become an account that does not exist";
}

function asUid(uid: number, code: string): string {
  const url = import.meta.resolve("#core/accounts.js");
  const script = `process.setgroups([]); process.setgid(${uid}); process.setuid(${uid}); ${code}`;
  const source = `import { Accounts } from ${JSON.stringify(url)};\n${script}`;
  return execFileSync(process.execPath, ["--input-type=module", "--eval", source], { encoding: "utf8" });
}
