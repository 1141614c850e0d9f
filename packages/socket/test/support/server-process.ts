// Serves in a process of its own: doubles numbers, or never answers. Arguments: the spool's path, the socket's name, and "silent".
import { openBus } from "@agentbus/core";

const [spool, name = "", mode] = process.argv.slice(2);
const bus = await openBus({ spool });
await bus.serve<number>(name, ({ data }) => (mode === "silent" ? new Promise(() => undefined) : 2 * data), {
  maxConnectionsPerUser: 10_000,
});
console.log("ready");
