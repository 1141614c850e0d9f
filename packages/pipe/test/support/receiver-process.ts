// Receives pipes in a process of its own, and prints the data of each message as a line of JSON. Arguments: the spool's path.
import { openBus } from "@agentbus/core";

const bus = await openBus({ spool: process.argv[2] });
const pipes = await bus.pipes();
console.log("ready");
for await (const message of pipes) console.log(JSON.stringify(message.data));
