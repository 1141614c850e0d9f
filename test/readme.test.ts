import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createRequire } from "node:module";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { PersonalSpool } from "./support/personal-spool.js";

const run = promisify(execFile);
const root = new URL("../../", import.meta.url);
const me = userInfo().username;

for (const path of ["README.md", "packages/core/README.md"]) {
  describe(path, () => {
    const text = fs.readFileSync(new URL(path, root), "utf8");

    test("leads to files and headings that exist", () => {
      for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
        const [file = "", anchor] = target.split("#");
        const url = new URL(file === "" ? path : file, new URL(path, root));
        assert.ok(fs.existsSync(url), target);
        if (anchor !== undefined) assert.match(fs.readFileSync(url, "utf8").toLowerCase(), headingOf(anchor), target);
      }
    });
  });
}

test("the programs in README.md do what is said beside them", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [publishing = "", consuming = "", handling = "", ...others] = programsIn("README.md");
  assert.deepEqual(others, []);
  const bus = await spool.bus();
  await (await bus.subscribe("build.**", { durable: "ci" })).close();
  const ops = await bus.subscribe("deploy.*", { durable: "ops" });
  await bus.publish("deploy.done", { to: "staging" });
  await ops.close();

  await runProgram(spool, publishing.replaceAll("@codebot", `@${me}`));
  for await (const message of bus.subscribe(`@${me}`)) {
    assert.deepEqual(message.data, { text: "please review" });
    break;
  }

  const consumer = startProgram(spool, consuming);
  context.after(() => consumer.kill("SIGKILL"));
  const [line] = (await once(createInterface({ input: consumer.stdout }), "line")) as [string];
  assert.equal(line, `${me} { commit: '4f2a' }`);
  consumer.kill();
  await once(consumer, "close");

  const lines = (await runProgram(spool, handling)).trim().split("\n");
  assert.deepEqual(lines.sort(), ["3", "deploy.done { to: 'staging' }"]);
});

test("the program in packages/core/README.md does what is said beside it", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await bus.subscribe(`@${me}`);
  const [program = ""] = programsIn("packages/core/README.md");
  const lines = (await runProgram(spool, program.replaceAll("@codebot", `@${me}`))).trim().split("\n");
  assert.deepEqual(lines.sort(), ["3", `${me} build.done { commit: '4f2a' }`]);
});

test("the thirty seconds of README.md need no configuration", async (context) => {
  const { scratchDir } = await PersonalSpool.make(context);
  const commands = [...readme().matchAll(/^```\nagentbus (publish|subscribe) (.+)\n```$/gm)].map(
    ([, ...words]) => words,
  );
  const [subscribing, publishing] = commands;
  assert.deepEqual(
    commands.map(([command]) => command),
    ["subscribe", "publish"],
  );
  const env = { PATH: process.env["PATH"] ?? "", HOME: scratchDir };
  const shell = (words: readonly string[] | undefined) => `"$0" "$1" ${words?.join(" ") ?? ""}`;
  const args = [process.execPath, agentbusPath()];
  const subscriber = spawn("sh", ["-c", `exec ${shell(subscribing)}`, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  context.after(() => subscriber.kill("SIGKILL"));
  await once(subscriber.stderr, "data"); // it is subscribed
  const arrived = once(createInterface({ input: subscriber.stdout }), "line");
  await run("sh", ["-c", shell(publishing), ...args], { env });
  const [line] = (await arrived) as [string];
  assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} +hello .*\{"a":1\}$/);
  assert.ok(fs.existsSync(join(scratchDir, ".local/state/agentbus/personal/spool.json")));
  subscriber.kill("SIGINT");
  await once(subscriber, "close");
  assert.deepEqual(fs.readdirSync(join(scratchDir, ".local/state/agentbus/personal/subscriptions")), [`${me}~inbox`]);
});

function readme(): string {
  return fs.readFileSync(new URL("README.md", root), "utf8");
}

function programsIn(path: string): string[] {
  const text = fs.readFileSync(new URL(path, root), "utf8");
  return [...text.matchAll(/^<!-- a test runs this -->\n\n```js\n([^]*?)^```$/gm)].map(([, program = ""]) => program);
}

function startProgram(spool: PersonalSpool, program: string) {
  return spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: root,
    env: { ...process.env, AGENTBUS_SPOOL: spool.path },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function runProgram(spool: PersonalSpool, program: string): Promise<string> {
  const child = startProgram(spool, program);
  let text = "";
  child.stdout.on("data", (chunk) => (text += String(chunk)));
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(code, 0, program);
  return text;
}

function agentbusPath(): string {
  const packagePath = createRequire(import.meta.url).resolve("@agentbus/cli/package.json");
  const { bin } = JSON.parse(fs.readFileSync(packagePath, "utf8")) as { bin: { agentbus: string } };
  return join(dirname(packagePath), bin.agentbus);
}

/** A heading as an anchor has it. */
function headingOf(anchor: string): RegExp {
  return new RegExp(`^#+ .*${anchor.split("-").join(".*")}`, "m");
}
