import assert from "node:assert/strict";
import { test } from "node:test";
import { loadPackage } from "#core/channel/packages.js";
import { isBusError } from "#core/errors.js";

test("a package of channels that is not installed is an error that says how to install it", async () => {
  await assert.rejects(
    loadPackage("@agentbus/of-that-name-there-is-none", "pipes"),
    (error) =>
      isBusError(error) &&
      error.code === "ERR_PACKAGE_MISSING" &&
      error.fix === "npm install @agentbus/of-that-name-there-is-none",
  );
});

test("one that is there and broken says so itself", async () => {
  const broken = `data:text/javascript,${encodeURIComponent("throw new TypeError('broken')")}`;
  await assert.rejects(loadPackage(broken, "pipes"), TypeError);
});
