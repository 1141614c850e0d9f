import { deeds } from "./deeds.js";
import { testEveryFault } from "./every-fault.js";

// Failures are told as warnings, hundreds of them here.
process.removeAllListeners("warning");

testEveryFault(deeds);
