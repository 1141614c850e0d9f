/** Pipes between agents, for `bus.pipe()` and `bus.pipes()` of @agentbus/core, which loads this package when they are called. */
import type { PipePackage } from "@agentbus/core";
import { openPipe as open } from "./send/open-pipe.js";
import { openPipes as openAll } from "./receive/open-pipes.js";

export const openPipe: PipePackage["openPipe"] = open;
export const openPipes: PipePackage["openPipes"] = openAll;
