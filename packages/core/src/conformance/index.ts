/**
 * The conformance suite of channels: `testChannel(driver)` in a file that node:test runs. The spool, the pipe and the socket of agentbus
 * are held to it, and anything else that implements `SendingEnd` and `ReceivingEnd` may be.
 */
export { testChannel } from "./suite.js";
export type { ArenaReceiveOptions, ChannelArena, ChannelDriver, Intruder, ReceiverProcess } from "./driver.js";
