import { test } from "node:test";
import { assertStopsAreMended } from "./support/stopped-on-systemd.js";
import { NEEDS_SYSTEMD } from "./support/systemd-machine.js";

/** Each round stops both, so that an account is made and removed once for two places. */
const CODE = `
await apply(served);
const wanted = snapshot();
const wantedKeys = ledgerKeys();
await remove();
expect("removed", snapshot(), before);
forget();
for (let number = 0, goesOn = true; goesOn; number++) {
  moments = [];
  goesOn = await stopped(apply(served, number));
  if (goesOn) {
    result.moments++;
    await apply(served);
    expect("applied again", snapshot(), wanted);
    expect("the ledger", ledgerKeys(), wantedKeys);
    await expectSettled(served);
  }
  // systemd remembers that a service has failed, also when its files are gone.
  execFileSync("systemctl", ["kill", "--signal=KILL", UNIT]);
  while (spawnSync("systemctl", ["is-failed", UNIT]).status !== 0);
  moments = [];
  if (await stopped(remove(number))) {
    goesOn = true;
    result.moments++;
    const { failures } = await remove();
    if (failures.length > 0) result.problems.push(failures.map(({ message }) => message).join());
  }
  expect("removed", snapshot(), before);
  const { retired, entries } = ledger();
  if (Object.keys(entries).length > 0) result.problems.push("still in the ledger: " + Object.keys(entries) + ", stopped at " + moments.at(-1));
  if (retired.length !== 1) result.problems.push(retired.length + " uids are retired, stopped at " + moments.at(-1));
  forget();
}
`;

test(
  "an apply or a removal that is stopped at any step of systemd's is finished by the next, to the same end",
  { skip: NEEDS_SYSTEMD },
  (context) => assertStopsAreMended(context, 36, CODE),
);
