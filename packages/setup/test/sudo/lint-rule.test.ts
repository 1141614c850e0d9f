import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { lintSudoRule } from "#setup/sudo/lint-rule.js";
import { sudoersCommand } from "#setup/sudo/sudoers-words.js";

type Command = readonly [string, ...string[]];

/** What is said against a command, as one text; empty: nothing. */
function objections(command: Command, runAs = "root", platform: "linux" | "darwin" = "linux"): string {
  return lintSudoRule({ command, runAs }, platform)
    .map(({ problem, remedy }) => `${problem}: ${remedy}`)
    .join("\n");
}

describe("a sudo rule", () => {
  test("may be a program of the administrator's with exact arguments, or with none", () => {
    const fine: Command[] = [
      ["/usr/local/libexec/agentbus/priv", "rotate-logs"],
      ["/usr/local/sbin/deploy"],
      ["/usr/sbin/reboot"],
      ["/usr/local/sbin/deploy", "--to=web1:8080,web2", "#7"],
    ];
    for (const command of fine) assert.equal(objections(command), "", command.join(" "));
  });

  test("may start and stop services, with names of units and nothing else", () => {
    const fine: Command[] = [
      ["/usr/bin/systemctl", "restart", "myapp.service"],
      ["/usr/bin/systemctl", "--no-pager", "start", "a.service", "worker@2.service"],
      ["/usr/bin/systemctl", "daemon-reload"],
      ["/usr/sbin/service", "nginx", "restart"],
      ["/sbin/rc-service", "nginx", "reload"],
      ["/bin/launchctl", "kickstart", "-k", "system/org.example.app"],
      ["/bin/launchctl", "kill", "SIGHUP", "system/org.example.app"],
    ];
    for (const command of fine) assert.equal(objections(command), "", command.join(" "));
  });

  test("is refused where a service manager would start a pager, an editor or a shell, or read a file that is named", () => {
    const refused: [Command, RegExp][] = [
      [["/usr/bin/systemctl", "status", "myapp.service"], /systemctl status starts a pager/],
      [["/usr/bin/systemctl", "--no-pager", "status", "myapp"], /starts a pager/],
      [["/usr/bin/systemctl", "list-units"], /starts a pager/],
      [["/usr/bin/systemctl", "edit", "myapp"], /starts an editor/],
      [["/usr/bin/systemctl", "link", "/tmp/x.service"], /only start/],
      [["/usr/bin/systemctl", "enable", "myapp"], /only start/],
      [["/usr/bin/systemctl", "-H", "evil", "restart", "myapp"], /only start/],
      [["/usr/bin/systemctl", "--root=/tmp", "restart", "myapp"], /only start/],
      [["/usr/bin/systemctl", "restart", "/tmp/x.service"], /only start/],
      [["/usr/bin/systemctl", "start", "debug-shell.service"], /shell of root's/],
      [["/usr/bin/systemctl", "restart"], /only start/],
      [["/usr/bin/systemctl"], /only start/],
      [["/usr/sbin/service", "../../bin/sh", "start"], /only NAME/],
      [["/usr/sbin/service", "nginx", "status"], /only NAME/],
      [["/bin/launchctl", "bootstrap", "system", "/tmp/x.plist"], /only kickstart/],
      [["/bin/launchctl", "kickstart", "gui/501/x"], /only kickstart/],
      [["/usr/bin/journalctl", "-u", "myapp"], /pager, which starts a shell/],
    ];
    for (const [command, why] of refused) assert.match(objections(command), why, command.join(" "));
  });

  test("is refused for each unit that is a shell of root's, by whichever program and name", () => {
    for (const unit of [
      "debug-shell",
      "console-shell",
      "rescue",
      "emergency",
      "breakpoint-pre-udev",
      "breakpoint-pre-switch-root",
    ])
      for (const name of [unit, `${unit}.service`]) {
        assert.match(objections(["/usr/bin/systemctl", "start", name]), /shell of root's/, name);
        assert.match(
          objections(["/usr/bin/systemctl", "restart", "--no-block", "myapp", name]),
          /shell of root's/,
          name,
        );
        assert.match(objections(["/usr/sbin/service", name, "start"]), /shell of root's/, name);
      }
    for (const target of ["rescue", "emergency", "runlevel1"])
      assert.match(objections(["/usr/bin/systemctl", "start", `${target}.target`]), /shell of root's/, target);
    for (const unit of ["runlevel3.target", "rescue-dogs.service", "my-debug-shell.service", "multi-user.target"])
      assert.equal(objections(["/usr/bin/systemctl", "start", unit]), "", unit);
  });

  test("is refused for each program of the escape list, with the way to root and a helper to put in its place", () => {
    for (const name of [
      "bash",
      "python3",
      "vim",
      "less",
      "apt-get",
      "tar",
      "cp",
      "find",
      "docker",
      "env",
      "busybox",
      "git",
      "tee",
    ]) {
      const said = objections([`/usr/bin/${name}`, "one"]);
      assert.match(said, new RegExp(`may run ${name.replace(".", "\\.")} as root is root: `), name);
      assert.match(said, /"\/usr\/local\/libexec\/agentbus\/priv", "[a-z0-9-]+"/, name);
    }
    // On macOS /usr/local belongs to whoever installed Homebrew.
    assert.match(objections(["/usr/bin/vim"], "root", "darwin"), /"\/Library\/agentbus\/priv", "vim"/);
  });

  test("is refused for wildcards, ALL, negation, tags, digests and regular expressions", () => {
    const refused: [Command, RegExp][] = [
      [["/bin/x", "/var/log/*"], /wildcard/],
      [["/bin/x", "a?"], /wildcard/],
      [["/bin/x", "[ab]"], /wildcard/],
      [["/bin/*"], /wildcard/],
      [["ALL"], /every program/],
      [["!/bin/x"], /protects nothing/],
      [["SETENV:/bin/x"], /LD_PRELOAD/],
      [["NOPASSWD: ALL"], /no tags/],
      [["sha256:0123/bin/x"], /digests/],
      [["^/bin/x$"], /regular/],
      [["/bin/x", "^a.*$"], /regular expression/],
      [["sudoedit", "/etc/motd"], /editor/],
      [["bin/x"], /not an absolute path/],
      [["/usr/local/bin/"], /every program in that directory/],
      [["/usr/../bin/x"], /\.\./],
      [["/usr//bin/x"], /which program/],
    ];
    for (const [command, why] of refused) assert.match(objections(command), why, command.join(" "));
  });

  test("is refused for words that sudo could take for something else", () => {
    for (const word of [
      "",
      "a b",
      "a\tb",
      "a\nb ALL=(ALL) ALL",
      "a\\",
      'a"b',
      "a!b",
      "\u0007",
      "\u007f",
      "é",
      "\u202e",
      "x".repeat(1_100),
    ])
      assert.notEqual(objections(["/bin/x", word]), "", JSON.stringify(word));
  });

  test("is refused as everybody, as an alias, or as what is no name", () => {
    for (const runAs of ["ALL", "OPS", "#0", "%sudo", "root,alice", "a b", "-x", "root:root", "_x", ""])
      assert.notEqual(objections(["/bin/x"], runAs), "", JSON.stringify(runAs));
    assert.equal(objections(["/bin/x"], "www-data"), "");
  });

  test("that is refused for its words is never written, whoever forgets to ask", () => {
    for (const command of [["/bin/x", "*"], ["/bin/x", "a\nroot ALL"], ["relative"]] as Command[])
      assert.throws(() => sudoersCommand(command), TypeError);
    assert.equal(sudoersCommand(["/bin/x"]), '/bin/x ""');
    assert.equal(sudoersCommand(["/bin/x", "a,b:c=d#e", "%f"]), "/bin/x a\\,b\\:c\\=d\\#e %f");
  });
});
