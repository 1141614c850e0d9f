import { testChannel } from "@agentbus/core/conformance";
import { PIPE_DRIVER } from "./support/pipe-arena.js";

testChannel(PIPE_DRIVER);
