import assert from "node:assert/strict";
import { test } from "node:test";
import { runCampaign } from "./campaign.js";
import { inScratch } from "./kill-point.js";

const KILLS = 60;

test(
  "publishers and consumers killed at random lose nothing that was promised, and repeat only what was in work",
  { timeout: 180_000 },
  async (context) => {
    await inScratch(async (dir) => {
      const { kills, promised, repeated } = await runCampaign(dir, KILLS);
      context.diagnostic(`${kills} kills, ${promised} deliveries promised, ${repeated} repeated`);
      assert.ok(kills >= KILLS && promised > KILLS);
    });
  },
);
