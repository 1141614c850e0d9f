import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adopt, remove, withAccount } from "./support/adopted-account.js";
import { asCodebot } from "./support/prepared-machine.js";
import { assertSame, NEEDS_NAMESPACES } from "./support/sandbox-machine.js";

const BEGIN = "# >>> agentbus >>>";

/** What an agent does to its home, the words about it, and what has to be true in it afterwards. */
const PLANTS: readonly (readonly [name: string, plant: string, said: RegExp, then: string])[] = [
  [
    "a link in the place of a shell file, also to a file of its own",
    `echo '${BEGIN}' > victim; cat .profile >> victim; rm -f .profile; ln -s victim .profile`,
    /\.profile is a symbolic link, and was none before setup/,
    `test "$(head -n 1 victim)" = '${BEGIN}' && test -L .profile`,
  ],
  [
    "a link to a file of root's",
    "rm -f .zshenv; ln -s /etc/passwd .zshenv",
    /\.zshenv is a symbolic link/,
    "test -L .zshenv",
  ],
  ["a FIFO", "rm -f .zshenv; mkfifo .zshenv", /\.zshenv is no file/, "test -p .zshenv"],
  ["a directory", "rm -f .zshenv; mkdir -p .zshenv/agentbus", /\.zshenv is no file/, "test -d .zshenv/agentbus"],
  [
    "a file that is larger than anybody would write",
    "head -c 3M /dev/zero >> .profile",
    /\.profile is larger than 1048576 bytes/,
    "test $(stat -c %s .profile) -gt 3000000",
  ],
  [
    "a beginning without an end, before text of its own",
    `printf '%s\\n' 'echo first' '${BEGIN}' 'echo last' > .profile`,
    /\.profile has a line '# >>> agentbus >>>' without its/,
    "grep -q last .profile",
  ],
  [
    "an end before a beginning",
    `printf '%s\\n' '# <<< agentbus <<<' 'echo mine' '${BEGIN}' 'echo last' > .profile`,
    /\.profile has a line '# <<< agentbus <<<' that belongs to no block/,
    "grep -q mine .profile && grep -q last .profile",
  ],
  [
    "lines of its own within the block",
    "sed -i 's/^umask 027$/umask 027; echo mine/' .profile",
    /\.profile has a block of setup that somebody has changed/,
    "grep -q 'echo mine' .profile",
  ],
  [
    "a file that it cannot read itself",
    "chmod 0000 .profile",
    /\.profile cannot be changed: .*EACCES/,
    "test $(stat -c %a .profile) = 0",
  ],
  [
    "a directory in the place of the draft",
    "mkdir -p .profile.agentbus-draft/x",
    /\.profile cannot be changed/,
    "test -d .profile.agentbus-draft/x",
  ],
  [
    "a link in the way to the environment file",
    "mkdir elsewhere; mv .config/agentbus elsewhere; rmdir .config; ln -s elsewhere .config",
    /env lies below \.config, which is no directory/,
    "test -f elsewhere/agentbus/env",
  ],
  [
    "a FIFO that git would wait for",
    "rm .gitconfig; mkfifo .gitconfig",
    /\.gitconfig is no file/,
    "test -p .gitconfig",
  ],
  [
    "a configuration that git cannot read",
    "echo '[user' > .gitconfig",
    /\.gitconfig cannot be changed by git: .*bad config/,
    "grep -q user .gitconfig",
  ],
];

describe("giving back the home of an account that gets in the way", { skip: NEEDS_NAMESPACES }, () => {
  test("leaves what it planted, says so, follows and waits for nothing, and gives back everything else", async (context) => {
    const machine = await withAccount(context);
    const ofAccount = () => machine.sh("getent passwd codebot; id codebot; stat -c '%a %u:%g' /home/codebot");
    const before = ofAccount();
    machine.sh("cp -a /home/codebot /home/kept");
    for (const [name, plant, words, then] of PLANTS) {
      machine.sh("rm -rf /home/codebot; cp -a /home/kept /home/codebot");
      adopt(machine);
      machine.must(asCodebot(`cd; ${plant}`));
      const said = remove(machine, "codebot");
      assert.match(said, words, name);
      machine.must(asCodebot(`cd; ${then}`));
      assertSame(ofAccount(), before, name);
      // What it did not meddle with is gone.
      assert.equal(machine.run(["test", "-e", "/home/codebot/.bashrc"]).status, 1, name);
    }
  });

  test("writes through a link that was there before, and leaves it one", async (context) => {
    const machine = await withAccount(context);
    machine.must(
      asCodebot(
        "cd; mkdir -p dotfiles/config; ln -s dotfiles/config .config; echo 'echo hi' > dotfiles/bashrc; ln -s dotfiles/bashrc .bashrc; mv .gitconfig dotfiles; ln -s dotfiles/.gitconfig .gitconfig",
      ),
    );
    const before = machine.snapshot();
    adopt(machine);
    assert.match(machine.sh("cat /home/codebot/dotfiles/bashrc"), /agentbus[^]*echo hi/);
    remove(machine, "--all");
    assertSame(machine.snapshot(), before, "as before");
  });

  test("goes on where it has shut its home from itself, and leaves the mode that it has given it", async (context) => {
    const machine = await withAccount(context);
    adopt(machine);
    machine.sh("chmod 0000 /home/codebot");
    const said = remove(machine, "--all");
    assert.match(said, /\.profile cannot be changed: .*EACCES/);
    assert.match(said, /the mode of \/home\/codebot is 0000, which is not setup's doing/);
    assert.equal(machine.sh("id -gn codebot; getent passwd codebot | cut -d: -f7"), "users\n/bin/sh\n");
  });

  test("keeps other names, and the group, of a file", async (context) => {
    const machine = await withAccount(context);
    machine.must([
      "su",
      "codebot",
      "-s",
      "/bin/sh",
      "-c",
      "cd ~ && echo 'echo zsh' > .zshenv && ln .zshenv other-name",
    ]);
    machine.sh(
      "echo 'echo bash' > /home/codebot/.bashrc; chown codebot:tape /home/codebot/.bashrc; chmod 0640 /home/codebot/.bashrc",
    );
    adopt(machine);
    // What apply writes is a file of its own by then; joined once more, as an account may do at any time.
    machine.must(asCodebot("cd; ln -f .zshenv other-name"));
    remove(machine, "codebot");
    assert.equal(machine.sh("cd /home/codebot; cat .zshenv other-name; stat -c %h .zshenv"), "echo zsh\necho zsh\n2\n");
    assert.equal(machine.sh("cat /home/codebot/.bashrc; stat -c %a /home/codebot/.bashrc"), "echo bash\n640\n");
  });
});
