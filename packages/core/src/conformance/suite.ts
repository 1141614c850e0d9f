import { describe } from "node:test";
import type { ChannelDriver } from "./driver.js";
import { testDelivery } from "./delivery.js";
import { testEndings } from "./endings.js";
import { testHostility } from "./hostility.js";
import { testPressure } from "./pressure.js";

/** Registers the suite with node:test, for one implementation of channels. */
export function testChannel(driver: ChannelDriver): void {
  describe(`the ${driver.name} as a channel`, { skip: driver.skip ?? false }, () => {
    testDelivery(driver);
    testPressure(driver);
    testEndings(driver);
    testHostility(driver);
  });
}
