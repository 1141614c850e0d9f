// 1,000 connections, 100,000 calls, and a server that is killed and started again five times under that load: each call is answered or
// fails, none hangs. `node packages/socket/build/test/soak.js [CONNECTIONS] [CALLS]`; the tests do the same with fewer.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { isBusError } from "@agentbus/core";
import { inArena } from "./support/socket-arena.js";

const [connections = 1_000, calls = 100_000] = process.argv.slice(2).map(Number);
const RESTARTS = 5;

await inArena(async (arena) => {
  const start = async () => {
    const child = arena.child("server");
    if (child.stdout === null) throw new Error("no stdout");
    await once(createInterface({ input: child.stdout }), "line");
    return child;
  };
  let server = await start();
  const began = performance.now();
  const bus = await arena.bus();
  const clients = await Promise.all(Array.from({ length: connections }, () => bus.connect(arena.address)));
  console.log(`${connections} connections after ${Math.round(performance.now() - began)} ms`);
  const counts = { answered: 0, lost: 0, wrong: 0 };
  let next = 0;
  const working = clients.map(async (client) => {
    for (let number = ++next; number <= calls; number = ++next) {
      try {
        const { data } = await client.call<number>(number, { idempotent: number % 2 === 0 });
        if (data === 2 * number) counts.answered++;
        else counts.wrong++;
      } catch (error) {
        if (isBusError(error) && error.code === "ERR_NO_PEER" && number % 2 === 1) counts.lost++;
        else throw error;
      }
    }
  });
  const worked = Promise.all(working);
  for (let restart = 1; restart <= RESTARTS; restart++) {
    while (counts.answered < (restart * calls) / (RESTARTS + 1)) await new Promise((resolve) => setTimeout(resolve, 1));
    server.kill("SIGKILL");
    await once(server, "exit");
    server = await start();
  }
  await worked;
  console.log(JSON.stringify({ ...counts, of: calls, ms: Math.round(performance.now() - began) }));
  if (counts.wrong > 0 || counts.answered + counts.lost !== calls) process.exitCode = 1;
});
