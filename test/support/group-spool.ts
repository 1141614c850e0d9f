import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSpool, type CreateSpoolOptions } from "#core/create-spool.js";
import { Caretaker } from "./caretaker.js";
import { Person, type Account } from "./person.js";

/**
 * A group's spool with real accounts, for the length of one test file: alice and bob mean well, mallory is their neighbour in the
 * group, and oscar is not a member. Nothing of it is left behind, however the test ends.
 */
export class GroupSpool {
  readonly #people = new Set<Person>();

  private constructor(
    readonly caretaker: Caretaker,
    readonly group: string,
    /** On the filesystem of the spool, root's: for whatever else the test needs. */
    readonly scratchDir: string,
    readonly path: string,
    readonly alice: Person,
    readonly bob: Person,
    readonly mallory: Person,
    readonly oscar: Person,
  ) {
    for (const person of [alice, bob, mallory, oscar]) this.#people.add(person);
  }

  static async make(options: Pick<CreateSpoolOptions, "limits" | "relays"> = {}): Promise<GroupSpool> {
    const caretaker = new Caretaker();
    try {
      const group = `abt${randomBytes(3).toString("hex")}`;
      const { dir = "" } = await caretaker.ask({ do: "make directory", prefix: join(tmpdir(), "agentbus-attack-") });
      await caretaker.ask({ do: "hold sysctls" });
      await caretaker.ask({ do: "add group", name: group });
      const account = async (name: string, groups: string[]): Promise<Account> => {
        const { uid = -1, gid = -1 } = await caretaker.ask({ do: "add user", name: `${group}${name}`, groups });
        return { name: `${group}${name}`, uid, gid };
      };
      const members = ["alice", "bob", "mallory"].map((name) => account(name, [group]));
      const accounts = [...(await Promise.all(members)), await account("oscar", [])];
      const path = join(dir, "spool");
      await createSpool({ spool: path, group, env: {}, ...options });
      const people = await Promise.all(accounts.map((each) => Person.start(each)));
      const [alice, bob, mallory, oscar] = people as [Person, Person, Person, Person];
      // Everybody who has been here once has an inbox and an outbox.
      for (const member of [alice, bob, mallory])
        await member.run(async ({ openedBus }, at) => void (await openedBus(at)), path);
      return new GroupSpool(caretaker, group, dir, path, alice, bob, mallory, oscar);
    } catch (error) {
      await caretaker.end();
      throw error;
    }
  }

  /** Another process of an account. */
  async another(account: Account, maxOpenFiles?: number): Promise<Person> {
    const person = await Person.start(account, maxOpenFiles);
    this.#people.add(person);
    return person;
  }

  /** A path in the spool. */
  at(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** A path in somebody's subscription. */
  of(account: Account, name: string, ...parts: string[]): string {
    return join(this.path, "subscriptions", `${account.name}~${name}`, ...parts);
  }

  /** A directory of somebody's own, on the filesystem of the spool. */
  home(account: Account, mode = 0o755): string {
    const dir = join(this.scratchDir, `home-${account.name}-${randomBytes(3).toString("hex")}`);
    fs.mkdirSync(dir);
    fs.chownSync(dir, account.uid, account.gid);
    fs.chmodSync(dir, mode);
    return dir;
  }

  async end(): Promise<void> {
    await Promise.all([...this.#people].map((person) => person.kill()));
    await this.caretaker.end();
  }
}
