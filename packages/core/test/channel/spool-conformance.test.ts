import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createSpool, openBus, spoolSender, type Bus } from "@agentbus/core";
import { testChannel, type ChannelArena, type Intruder } from "@agentbus/core/conformance";
import { SPOOL_CAPABILITIES } from "#core/channel/capabilities.js";

const PROGRAM = fileURLToPath(new URL("receiver-process.js", import.meta.url));
const { username, uid } = userInfo();

testChannel({ name: "spool", capabilities: SPOOL_CAPABILITIES, open });

/** A personal spool, where this account writes to its own inbox. */
async function open(): Promise<ChannelArena> {
  const parentDir = fs.mkdtempSync(`${tmpdir()}/agentbus-spool-`);
  const spool = `${parentDir}/spool`;
  const buses: Bus[] = [];
  const children: ChildProcess[] = [];
  let serial = 0;
  await createSpool({ spool, env: {} });

  const bus = async () => {
    const opened = await openBus({ spool, rescanMs: 100 });
    buses.push(opened);
    return opened;
  };
  const put = (bytes: Buffer) => {
    const name = `5-01JQ6T8Z1V4M9X7C2B5N8K3D6F-${String(serial++)
      .padStart(26, "a")
      .replaceAll(/[0189]/g, (digit) => "klmn"["0189".indexOf(digit)] ?? "")}.json`;
    fs.writeFileSync(`${spool}/outbox/${username}/${name}`, bytes, { mode: 0o640 });
    fs.renameSync(`${spool}/outbox/${username}/${name}`, `${spool}/subscriptions/${username}~inbox/new/${name}`);
  };
  const intruder: Intruder = {
    send: async (payloads) => {
      for (const payload of payloads) put(payload);
      return payloads.length;
    },
    dieWithin: async (payload) => {
      put(payload);
      return 1;
    },
  };

  return {
    maxEnvelopeBytes: 4 * 1024 * 1024,
    user: username,
    uid,
    receive: async (options = {}) => (await bus()).subscribe(`@${username}`, options),
    send: async () => spoolSender(await bus(), `@${username}`),
    intruder: async () => intruder,
    async receiveElsewhere() {
      const child = spawn(process.execPath, [PROGRAM, spool], { stdio: ["ignore", "pipe", "inherit"] });
      children.push(child);
      const exited = once(child, "exit");
      const received: unknown[] = [];
      await new Promise<void>((resolve) => {
        createInterface({ input: child.stdout }).on("line", (line) => {
          if (line === "ready") resolve();
          else received.push(JSON.parse(line));
        });
      });
      return {
        received,
        kill: async () => {
          child.kill("SIGKILL");
          await exited;
        },
      };
    },
    async close() {
      for (const child of children) child.kill("SIGKILL");
      for (const opened of buses) await opened.close();
      fs.rmSync(parentDir, { recursive: true });
    },
  };
}
