import { test } from "node:test";
import { assertStopsAreMended } from "./support/stopped-on-systemd.js";
import { NEEDS_SYSTEMD } from "./support/systemd-machine.js";

const CODE = `
const ends = new Map();
for (const setup of [served, servedOtherwise, plain]) {
  await apply(setup);
  ends.set(setup, [snapshot(), ledgerKeys()]);
}
for (let number = 0, goesOn = true; goesOn; number++) {
  goesOn = false;
  await apply(served);
  for (const setup of [servedOtherwise, plain]) {
    moments = [];
    const wasStopped = await stopped(apply(setup, number));
    if (wasStopped) {
      goesOn = true;
      result.moments++;
      await apply(setup);
    }
    const [wanted, wantedKeys] = ends.get(setup);
    expect("applied again", snapshot(), wanted);
    expect("the ledger", ledgerKeys(), wantedKeys);
    await expectSettled(setup);
  }
}
`;

test(
  "a service that was changed runs as changed, and one that is no longer asked for is gone, also when apply was stopped",
  { skip: NEEDS_SYSTEMD },
  (context) => assertStopsAreMended(context, 20, CODE),
);
