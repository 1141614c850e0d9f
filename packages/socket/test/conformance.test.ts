import { testChannel } from "@agentbus/core/conformance";
import { SOCKET_DRIVER } from "./support/socket-arena.js";

testChannel(SOCKET_DRIVER);
