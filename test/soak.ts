import { parseArgs } from "node:util";
import { runCampaign } from "./crash/campaign.js";
import { areFew, killAtEach } from "./crash/every-point.js";
import { findPoints, inScratch } from "./crash/kill-point.js";
import { scenarios } from "./crash/scenarios.js";

/** One campaign is as long as this: then everything is drained and checked. */
const KILLS_PER_CAMPAIGN = 250;

/**
 * `npm run soak [-- --kills 10000]`: kills processes at every point of every scenario, then at random for as long as it takes, and
 * exits with 1 if anything was lost.
 */
async function soak(kills: number): Promise<void> {
  let done = await soakPoints(kills);
  while (done < kills) {
    const length = Math.min(KILLS_PER_CAMPAIGN, kills - done);
    const result = await inScratch((dir) => runCampaign(dir, length));
    done += result.kills;
    console.log(
      `${done} kills: at random, ${result.promised} deliveries promised and kept, ${result.repeated} repeated`,
    );
  }
}

async function soakPoints(kills: number): Promise<number> {
  let done = 0;
  for (const scenario of scenarios) {
    if (done >= kills || (scenario.isGroup === true && process.geteuid?.() !== 0)) continue;
    const points = await findPoints(scenario);
    const { failures, missed } = await killAtEach(scenario, points);
    done += points.length - missed.length;
    console.log(`${done} kills: ${scenario.name}, at ${points.length - missed.length} of ${points.length} points`);
    for (const failure of failures) console.error(failure);
    if (failures.length > 0 || !areFew(missed, points)) process.exitCode = 1;
  }
  return done;
}

const { values } = parseArgs({ options: { kills: { type: "string", default: "10000" } } });
const kills = Number(values.kills);
if (!Number.isInteger(kills) || kills < 1) {
  console.error("usage: npm run soak [-- --kills N]    (N: a whole number, 10000 unless you say)");
  process.exitCode = 2;
} else await soak(kills);
