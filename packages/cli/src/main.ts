import { VERSION } from "@agentbus/core";

console.log(VERSION);
