import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { onlyJson, Sandbox, until } from "./support/sandbox.js";

test("serve answers with what a command prints, and call prints it; a command that fails says why", async (context) => {
  const sandbox = Sandbox.make(context);
  const { user, uid } = await sandbox.bus();
  const exec = `read -r line; case "$line" in *fail*) echo "not today" >&2; exit 3;; esac; echo "{\\"topic\\": \\"$AGENTBUS_TOPIC\\"}"`;
  const server = sandbox.start(["serve", "search", "--exec", exec, "--count", "3"]);
  const path = `${sandbox.spool}/run/${user}/search.sock`;
  await until(async () => fs.existsSync(path));
  const plain = await sandbox.run(["call", `@${user}/search`, "1"]);
  assert.deepEqual(plain, { code: 0, stdout: '{"topic":"search"}\n', stderr: "" });
  const json = onlyJson((await sandbox.run(["call", `@${user}/search`, "--text", "hello", "--json"])).stdout);
  assert.deepEqual(json["sender"], { user, uid });
  assert.deepEqual((json["envelope"] as { data: unknown }).data, { topic: "search" });
  const failed = await sandbox.run(["call", `@${user}/search`, '"fail"']);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /^ERR_RESPONDER: .* could not answer search: exit 3: not today/);
  assert.equal((await server.ended).code, 0);
  assert.equal(fs.existsSync(path), false, "what ended by itself takes its socket along");
});

test("call says who should serve when nobody does, and ends with 124 when no answer comes in time", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const nobody = await sandbox.run(["call", `@${bus.user}/search`, "1"]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /^ERR_NO_PEER: nobody serves .*\n {2}fix: start what serves it: .*agentbus serve search/);
  await bus.serve("search", () => new Promise(() => undefined));
  assert.equal((await sandbox.run(["call", `@${bus.user}/search`, "1", "--timeout", "100ms"])).code, 124);
});

test("call prints each value of an answer that is a stream", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await bus.serve("count", async function* ({ data }) {
    for (let i = 1; i <= (data as number); i++) yield { i };
  });
  const { stdout } = await sandbox.run(["call", `@${bus.user}/count`, "3"]);
  assert.equal(stdout, '{"i":1}\n{"i":2}\n{"i":3}\n');
});

test("status lists what is served, and who is connected", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await bus.serve("search", ({ data }) => data);
  const client = await bus.connect(`@${bus.user}/search`);
  await client.call(1);
  await until(async () => /server/.test((await sandbox.run(["status"])).stdout));
  const { stdout } = await sandbox.run(["status", "--json"]);
  const channels = onlyJson(stdout)["channels"] as { kind: string; role: string; name?: string; peer: string | null }[];
  const shown = channels.map(({ kind, role, name, peer }) => [kind, role, name, peer].join(" "));
  assert.deepEqual(shown.toSorted(), [`socket client search ${bus.user}`, "socket server search "]);
});

test("tail --channels tells of a conversation through a socket: who serves, who connects, what goes through, who leaves", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const tail = sandbox.start(["tail", "--channels", "--json"]);
  type Told = {
    event: string;
    kind: string;
    role: string;
    name: string;
    peer: string | null;
    user: string;
    messages: number;
  };
  const told = (event: string, role: string) =>
    (tail.json as Told[]).filter((line) => line.event === event && line.role === role);
  await bus.serve("search", ({ data }) => data);
  await tail.until(() => told("opened", "server").length === 1);
  const [server] = told("opened", "server");
  assert.deepEqual([server?.kind, server?.name, server?.user, server?.peer], ["socket", "search", bus.user, null]);
  const client = await bus.connect(`@${bus.user}/search`);
  await tail.until(() => told("opened", "client").length === 1);
  assert.equal(told("opened", "client")[0]?.peer, bus.user);
  for (let i = 0; i < 5; i++) assert.equal((await client.call(i)).data, i);
  // A call and its answer, at both ends.
  for (const role of ["client", "server"]) await tail.until(() => told("carries", role).at(-1)?.messages === 10);
  await client.close();
  await tail.until(() => told("closed", "client").length === 1);
  assert.equal(told("closed", "server").length, 0);
  tail.signal("SIGINT");
  assert.equal((await tail.ended).code, 130);
});
