import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { apply, prepared } from "./support/prepared-machine.js";
import { NEEDS_NAMESPACES } from "./support/sandbox-machine.js";
import { KEYS, NEEDS_SCRIPT, Terminal } from "./support/terminal.js";

/** What somebody may have in their environment, and root more than most. */
const OURS = {
  ...{
    SECRET: "ours",
    AWS_SECRET_ACCESS_KEY: "ours",
    SSH_AUTH_SOCK: "/ours",
    KRB5CCNAME: "/ours",
    XAUTHORITY: "/ours",
  },
  ...{
    DISPLAY: ":7",
    EDITOR: "/ours",
    MAIL: "/ours",
    PS1: "ours> ",
    PS2: "ours",
    BASH_ENV: "/ours",
    ENV: "/ours",
    CDPATH: "/ours",
  },
  ...{
    LD_LIBRARY_PATH: "/ours",
    NODE_OPTIONS: "--no-warnings",
    AGENTBUS_GROUP: "ours",
    XDG_RUNTIME_DIR: "/ours",
    PYTHONPATH: "/ours",
  },
  ...{ TERM: "xterm-256color", LANG: "C" },
};

/** What a login has anyway; what sudo says of itself; what is of the terminal. */
const OF_A_LOGIN = new Set(
  "HOME USER LOGNAME SHELL PATH MAIL PWD OLDPWD SHLVL _ TERM LANG LC_ALL LS_COLORS LINES COLUMNS SUDO_COMMAND SUDO_USER SUDO_UID SUDO_GID SUDO_HOME".split(
    " ",
  ),
);

describe("a session of an agent on a terminal", { skip: NEEDS_NAMESPACES || NEEDS_SCRIPT }, () => {
  for (const who of ["root", "alice"] as const) {
    test(`that ${who} has started is a login of its own: nothing of ${who}'s environment, its home, shell, umask, groups and terminal`, async (context) => {
      const machine = await prepared(context);
      assert.equal(apply(machine).status, 0);
      machine.sh("echo 'API_KEY=its own' >> /home/codebot/.config/agentbus/env");
      const setup = `${process.execPath} ${machine.agentbus} setup shell codebot`;
      const start = who === "root" ? setup : `setpriv --reuid=alice --regid=alice --init-groups ${setup}`;
      const terminal = Terminal.open(machine, `tty; umask 077; cd /tmp; ${start}`, OURS);
      await terminal.shows(/\$ $/);
      const [, outer] = /^(\/dev\/pts\/\d+)$/m.exec(terminal.screen) ?? [];
      terminal.type("stty -echo; env; echo shell $0, umask $(umask), pwd $PWD, tty $(tty), $(id); echo end\n");
      await terminal.shows(/^end$/m);
      const said = terminal.screen;
      const environment = new Map(
        [...said.matchAll(/^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
      );
      assert.deepEqual(
        [...environment.keys()].filter((name) => !OF_A_LOGIN.has(name)),
        ["API_KEY"],
      );
      assert.ok(![...environment.values()].some((value) => value.includes("ours")), said);
      const expected = {
        HOME: "/home/codebot",
        USER: "codebot",
        LOGNAME: "codebot",
        SHELL: "/bin/bash",
        TERM: "xterm-256color",
        API_KEY: "its own",
      };
      assert.deepEqual(
        Object.fromEntries(Object.keys(expected).map((name) => [name, environment.get(name)])),
        expected,
      );
      assert.ok(
        (environment.get("PATH") ?? "")
          .split(":")
          .every((dir) => /^\/(?:usr\/)?(?:local\/)?(?:s?bin|games)$/.test(dir)),
        environment.get("PATH"),
      );
      const [, tty] =
        /^shell -bash, umask 0027, pwd \/home\/codebot, tty (\/dev\/pts\/\d+), uid=\d+\(codebot\) gid=\d+\(codebot\) groups=\d+\(codebot\),\d+\(agents\)$/m.exec(
          said,
        ) ?? [];
      assert.ok(tty !== undefined && outer !== undefined && tty !== outer, said);
      // Ctrl-C is for what runs there, and not for the session.
      terminal.type("sleep 1000\n");
      machine.sh("until pgrep -x sleep > /dev/null; do :; done");
      terminal.type(KEYS.ctrlC);
      terminal.type("echo after $?; exit 7\n");
      assert.equal(await terminal.ended(), 7);
      assert.match(terminal.screen, /after 130/);
    });
  }
});
