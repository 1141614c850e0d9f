import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { NEEDS_NAMESPACES, SandboxMachine } from "../support/sandbox-machine.js";

/** Runs code in a sandbox with the accounts codebot and reviewer, a probe of codebot at hand. @returns what it printed, as JSON */
async function withProbe(context: TestContext, code: string, prepare = "true"): Promise<unknown> {
  const machine = await SandboxMachine.make(context);
  for (const name of ["codebot", "reviewer"]) machine.addHuman(name);
  machine.sh(prepare);
  const printed = machine.module(`
    const { AccountProbe, ProbeLost } = await import("/mnt/agentbus/packages/setup/dist/verify/account-probe.js");
    const { execFileSync, spawn } = await import("node:child_process");
    const { once } = await import("node:events");
    const agentbus = [process.execPath, ${JSON.stringify(machine.agentbus)}];
    const account = (name) => {
      const id = (flag) => Number(execFileSync("id", [flag, name], { encoding: "utf8" }));
      return { name, uid: id("-u"), gid: id("-g") };
    };
    const asCodebot = (...argv) => execFileSync("setpriv", ["--reuid=codebot", "--regid=codebot", "--init-groups", ...argv], { encoding: "utf8" });
    const probe = await AccountProbe.start(account("codebot"), agentbus);
    try {
      ${code}
    } finally {
      await probe.end();
    }
  `);
  return JSON.parse(printed);
}

test("a probe is its account, and nothing more", { skip: NEEDS_NAMESPACES }, async (context) => {
  const result = (await withProbe(
    context,
    `const fs = await import("node:fs");
    const status = fs.readFileSync("/proc/" + probe.pid + "/status", "latin1");
    const field = (name) => new RegExp("^" + name + ":\\\\s*(.*)$", "m").exec(status)[1].split(/\\s+/);
    console.log(JSON.stringify({ uid: account("codebot").uid, uids: field("Uid"), caps: [field("CapEff"), field("CapPrm"), field("CapAmb")].flat(), noNewPrivs: field("NoNewPrivs"), groups: await probe.run("groups") }));`,
    "groupadd shared; usermod -aG shared codebot",
  )) as { uid: number; uids: string[]; caps: string[]; noNewPrivs: string[]; groups: number[] };
  assert.deepEqual(
    result.uids,
    Array.from({ length: 4 }, () => String(result.uid)),
  );
  assert.deepEqual(
    result.caps,
    Array.from({ length: 3 }, () => "0".repeat(16)),
  );
  // Or sudo could not be tried.
  assert.deepEqual(result.noNewPrivs, ["0"]);
  assert.equal(result.groups.length, 2);
});

test("a probe tells what the kernel allows from what it refuses", { skip: NEEDS_NAMESPACES }, async (context) => {
  const result = await withProbe(
    context,
    `const start = async (name) => {
      const child = spawn("setpriv", ["--reuid=" + name, "--regid=" + name, "--init-groups", "cat"], { stdio: ["pipe", "pipe", "ignore"] });
      child.stdin.write("ready\\n");
      await once(child.stdout, "data");
      return child;
    };
    const [own, other] = [await start("codebot"), await start("reviewer")];
    const outcomes = async (pid) => {
      const attempts = [...(await probe.run("trySignalling", [pid])), ...(await probe.run("tryReadingProcesses", [pid]))];
      return [...new Set(attempts.map(({ outcome }) => outcome))];
    };
    const told = [await outcomes(own.pid), await outcomes(other.pid), await outcomes(1)];
    own.kill("SIGKILL");
    other.kill("SIGKILL");
    console.log(JSON.stringify(told));`,
  );
  assert.deepEqual(result, [["allowed"], ["refused"], ["refused"]]);
});

test("no other process of its account can look into a probe", { skip: NEEDS_NAMESPACES }, async (context) => {
  const result = await withProbe(
    context,
    `const tries = ["environ", "mem", "fd"].map((name) => asCodebot("sh", "-c", "cat /proc/" + probe.pid + "/" + name + " >/dev/null 2>&1 || ls /proc/" + probe.pid + "/" + name + "/ >/dev/null 2>&1 && echo yes || echo no").trim());
    console.log(JSON.stringify(tries));`,
  );
  assert.deepEqual(result, ["no", "no", "no"]);
});

test(
  "a signal of its account does not open a debugger in a probe, as it does in other programs of Node",
  { skip: NEEDS_NAMESPACES },
  async (context) => {
    const result = await withProbe(
      context,
      `const fs = await import("node:fs");
    const threads = () => fs.readdirSync("/proc/" + probe.pid + "/fd").filter((fd) => fs.readlinkSync("/proc/" + probe.pid + "/fd/" + fd).startsWith("socket:")).length;
    const before = threads();
    const victim = spawn("setpriv", ["--reuid=codebot", "--regid=codebot", "--init-groups", process.execPath, "-e", "console.log(1); setInterval(() => {}, 1000)"], { stdio: ["ignore", "pipe", "pipe"] });
    await once(victim.stdout, "data");
    asCodebot("kill", "-USR1", String(probe.pid));
    asCodebot("kill", "-USR1", String(victim.pid));
    // By now the one that was signalled first would have as well.
    const said = String((await once(victim.stderr, "data"))[0]);
    victim.kill("SIGKILL");
    await probe.run("groups");
    console.log(JSON.stringify({ said: /debugger|inspector/i.test(said), more: threads() - before }));`,
    );
    assert.deepEqual(result, { said: true, more: 0 });
  },
);

test("a probe that its account kills is lost, which is no success", { skip: NEEDS_NAMESPACES }, async (context) => {
  const result = await withProbe(
    context,
    `asCodebot("kill", "-KILL", String(probe.pid));
    const error = await probe.run("groups").catch((error) => error);
    console.log(JSON.stringify([error instanceof ProbeLost, error.message]));`,
  );
  assert.deepEqual((result as unknown[])[0], true);
  assert.match(String((result as unknown[])[1]), /codebot is lost/);
});

test("a probe never becomes root", { skip: NEEDS_NAMESPACES }, async (context) => {
  const result = await withProbe(
    context,
    `const error = await AccountProbe.start({ name: "root", uid: 0, gid: 0 }, agentbus).catch((error) => error);
    console.log(JSON.stringify(error.message));`,
  );
  assert.equal(result, "root is root");
});

test(
  "a probe needs neither the package nor Node to be readable for its account",
  { skip: NEEDS_NAMESPACES },
  async (context) => {
    const machine = await SandboxMachine.make(context);
    machine.addHuman("codebot");
    machine.sh("chmod 0700 /mnt");
    machine.must([
      "sh",
      "-c",
      `! setpriv --reuid=codebot --regid=codebot --init-groups ls ${machine.agentbus} 2>/dev/null`,
    ]);
    machine.must(["groupadd", "agents"]);
    machine.must(["usermod", "-aG", "agents", "codebot"]);
    machine.must([process.execPath, machine.agentbus, "init", "--group", "agents"]);
    const printed = machine.module(`
    const { AccountProbe } = await import("/mnt/agentbus/packages/setup/dist/verify/account-probe.js");
    const { SystemMachine } = await import("/mnt/agentbus/packages/setup/dist/system-machine.js");
    const account = await (await SystemMachine.look()).user("codebot");
    const probe = await AccountProbe.start(account, [process.execPath, ${JSON.stringify(machine.agentbus)}]);
    await probe.run("joinBus", "agents", "a.b");
    await probe.run("publishTo", "agents", "a.b", "hello");
    console.log(JSON.stringify(await probe.run("arrivalsFrom", "agents", ["codebot"], 10000)));
    await probe.run("leaveBus", "agents");
    await probe.end();
  `);
    assert.deepEqual(JSON.parse(printed), [{ sender: "codebot", text: "hello" }]);
  },
);

for (const [what, line] of [
  ["end at once", "exit 0"],
  ["print without an end", "yes"],
  ["are replaced by another program", "exec /bin/false"],
] as const) {
  test(
    `start files of a shell that ${what} hold nothing up, and say nothing`,
    { skip: NEEDS_NAMESPACES },
    async (context) => {
      const result = (await withProbe(
        context,
        `console.log(JSON.stringify(await probe.run("startLoginShell", "/bin/bash", "/home/codebot", "codebot")));`,
        `echo '${line}' > /home/codebot/.profile`,
      )) as { umask?: number; failure?: string };
      assert.equal(result.umask, undefined);
      assert.ok(result.failure);
    },
  );
}

test(
  "the umask of a login shell is what the kernel says, not what the shell prints",
  { skip: NEEDS_NAMESPACES },
  async (context) => {
    const result = (await withProbe(
      context,
      `console.log(JSON.stringify(await probe.run("startLoginShell", "/bin/bash", "/home/codebot", "codebot")));`,
      `printf 'umask 000\\numask() { echo 0077; }\\n' > /home/codebot/.profile`,
    )) as { umask?: number };
    assert.equal(result.umask, 0);
  },
);
