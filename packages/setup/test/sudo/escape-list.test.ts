import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { escapeOf, escapeThroughLink, ESCAPE_ROWS } from "#setup/sudo/escape-list.js";

describe("the list of programs that give root away", () => {
  const names = ESCAPE_ROWS.flatMap(({ programs }) => programs.trim().split(/\s+/));

  test("has each program once, with a reason that says more than its kind", () => {
    const twice = names.filter((name, index) => names.indexOf(name) !== index);
    assert.deepEqual(twice, []);
    for (const { kind, how } of ESCAPE_ROWS) assert.ok(how.length > kind.length + 10, `${kind}: ${how}`);
    assert.ok(names.length > 2_000, String(names.length));
    for (const name of names) assert.match(name, /^[A-Za-z0-9][A-Za-z0-9_.+-]*$/);
  });

  test("knows the ways to root that are told most often, each by its kind", () => {
    const known = {
      bash: "shell",
      python3: "interpreter",
      awk: "interpreter",
      env: "runs commands",
      xargs: "runs commands",
      vim: "editor",
      nano: "editor",
      less: "pager",
      journalctl: "pager",
      "apt-get": "package manager",
      brew: "package manager",
      npm: "package manager",
      make: "build tool",
      git: "build tool",
      tar: "archiver",
      zip: "archiver",
      cp: "copies files",
      rsync: "copies files",
      tee: "copies files",
      cat: "reads files",
      find: "reads files",
      bmon: "reads files",
      ucf: "copies files",
      sips: "writes files",
      screencapture: "writes files",
      nload: "writes files",
      chmod: "rights",
      useradd: "accounts",
      docker: "container",
      gdb: "debugger",
      curl: "network",
      tcpdump: "network",
      mysql: "database",
      mount: "system",
      modprobe: "system",
      systemctl: "system",
      claude: "agent",
    };
    for (const [program, kind] of Object.entries(known))
      assert.equal(escapeOf(`/usr/bin/${program}`)?.kind, kind, program);
  });

  test("a version in the name hides nothing, and neither does the machine that it is for", () => {
    for (const name of [
      "python3.11",
      "python2",
      "perl5.36.0",
      "gcc-12",
      "x86_64-linux-gnu-gcc-12",
      "arm-linux-gnueabihf-ld",
      "qemu-system-x86_64",
      "qemu-system-arm",
      "lua5.4",
      "php8.2",
      "ruby3.1",
      "nodejs18",
      "vim.basic",
      "clang-14",
      "postgres15",
      "g++-13",
      "tclsh8.6",
      "ld-linux-x86-64.so.2",
    ])
      assert.notEqual(escapeOf(`/usr/bin/${name}`), undefined, name);
  });

  test("a program of the administrator's own is not taken for one of these", () => {
    for (const name of [
      "priv",
      "rotate-logs",
      "myapp-ctl",
      "deploy-site",
      "restart-web",
      "reboot",
      "shutdown",
      "agentbus-helper",
    ])
      assert.equal(escapeOf(`/usr/local/sbin/${name}`), undefined, name);
  });

  test("programs that are many in one are judged by the name they are called by, and refused by their own", () => {
    assert.equal(escapeThroughLink("/bin/busybox"), undefined);
    assert.equal(escapeThroughLink("/bin/systemctl"), undefined);
    assert.equal(escapeOf("/bin/busybox")?.kind, "shell");
    assert.equal(escapeThroughLink("/usr/bin/vim.basic")?.kind, "editor");
  });
});
