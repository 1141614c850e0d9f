import { writeFileSync } from "node:fs";
import { connectAsync, type MqttClient } from "mqtt";
import { missingProgram } from "../servers/programs.js";
import { notedPort, notePort, startServer } from "../servers/server-process.js";
import { parseEnvelope, textOf, TOPIC } from "../envelope.js";
import type { Transport } from "./transport.js";

/** MQTT 5 to Mosquitto: at least once, to sessions that outlive their connection. */
export const mosquitto: Transport = {
  name: "mosquitto",
  description: "MQTT, QoS 1 on both sides, sessions kept, no limit on what is queued; mqtt.js over TCP",
  durability: "memory",
  keepsOrder: true,
  acknowledges: true,
  fansOut: true,
  reachesDisk: false,

  missing: async () => missingProgram("mosquitto"),

  async start({ dir }, leftovers) {
    const port = await notePort(dir);
    const lines = [
      `listener ${port} 127.0.0.1`,
      "allow_anonymous true",
      "max_queued_messages 0",
      "max_inflight_messages 0",
      "set_tcp_nodelay true",
      // Started by root, it would otherwise become an account that cannot enter the directory.
      "user root",
    ];
    writeFileSync(`${dir}/mosquitto.conf`, `${lines.join("\n")}\n`);
    const args = ["-c", `${dir}/mosquitto.conf`];
    return { stop: await startServer({ program: "mosquitto", args, address: port, dir }, leftovers) };
  },

  async receive({ dir }, onEnvelope, subscription) {
    const client = await connect(dir, `subscriber-${subscription}`);
    client.on("message", (_, text) => onEnvelope(parseEnvelope(text.toString())));
    await client.subscribeAsync(TOPIC, { qos: 1 });
    return { close: () => client.endAsync(true) };
  },

  async send({ dir }) {
    const client = await connect(dir, "publisher");
    return {
      send: (payload) => client.publishAsync(TOPIC, textOf(payload), { qos: 1 }),
      close: () => client.endAsync(),
    };
  },
};

function connect(dir: string, clientId: string): Promise<MqttClient> {
  return connectAsync(`mqtt://127.0.0.1:${notedPort(dir)}`, {
    clientId,
    protocolVersion: 5,
    clean: false,
    properties: { sessionExpiryInterval: 3_600, receiveMaximum: 65_535 },
  });
}
