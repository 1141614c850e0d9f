// @ts-check
// Subscribe, publish, receive. Messages go to whoever is subscribed when they are published; this subscription ends with its process.
import { openBus } from "@agentbus/core";

const bus = await openBus();
const builds = await bus.subscribe("build.*");

const { id, subscriptions } = await bus.publish("build.done", { commit: "4f2a", ok: true });
console.log(`published ${id}, stored by ${subscriptions.length} subscription`);
await bus.publish("deploy.done", { commit: "4f2a" }); // nobody here wants it, and that is no error

for await (const message of builds) {
  // The sender is the account that owns the message's file: the kernel says so, not the message.
  console.log(`${message.sender.user} says ${message.topic}:`, message.data);
  break;
}
await bus.close();
