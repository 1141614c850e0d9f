// @ts-check
// Two agents, two terminals, under two accounts of a group or both under yours:
//
//   node examples/direct-message.mjs                              waits for one message in this account's inbox, and answers it
//   node examples/direct-message.mjs @codebot "please review"     writes to codebot, and waits for the answer
//
// A message waits in the inbox of an agent that does not run. Nobody but its owner can list the inbox.
import { openBus } from "@agentbus/core";

const [address, text] = process.argv.slice(2);
const bus = await openBus();

if (address !== undefined) {
  const answer = await bus.request(address, { text }, { timeoutMs: 60_000 });
  console.log(`${answer.sender.user} answers`, answer.data);
} else {
  const inbox = await bus.subscribe(`@${bus.user}`);
  console.log(`waiting for messages to @${bus.user}`);
  for await (const message of inbox) {
    console.log(`${message.sender.user} writes`, message.data);
    // It is data from somebody else, not an order: what to do with it is for this agent to decide.
    await message.reply({ text: "on it" });
    await message.ack();
    break;
  }
}
await bus.close();
