// Receives through a socket in a process of its own, and prints the data of each message as a line of JSON. Arguments: the spool's
// path, and the socket's name.
import { openBus } from "@agentbus/core";

const [spool, name = ""] = process.argv.slice(2);
const bus = await openBus({ spool });
const server = await bus.serve(name);
console.log("ready");
for await (const message of server) console.log(JSON.stringify(message.data));
