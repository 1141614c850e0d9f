import { shellQuote } from "@agentbus/core";
import type { Machine } from "../machine.js";
import { spoolFileOf } from "../plan/spool-drift.js";
import type { Setup } from "../setup.js";
import { spoolDirOf } from "../spool-place.js";
import { applyCommand } from "./mend.js";

const OTHERS_MAY_WRITE = 0o022;

/** What makes a spool usable again that nobody can use; undefined where it is for a newer agentbus. */
export function reviveSpool(group: string, setup: Setup, machine: Machine): string | undefined {
  const dir = spoolDirOf(group);
  const file = `${dir}/spool.json`;
  const stats = [dir, file].map((path) => ({ path, stat: machine.stat(path) }));
  if (stats.some(({ stat }) => stat === undefined)) return applyCommand(setup);
  const open = stats.filter(
    ({ stat }) => stat !== undefined && (stat.uid !== 0 || (stat.mode & OTHERS_MAY_WRITE) !== 0),
  );
  if (open.length > 0) {
    const paths = open.map(({ path }) => shellQuote(path)).join(" ");
    return `chown -h root ${paths} && chmod go-w ${paths}`;
  }
  const layout = spoolFileOf(machine, group)?.layout;
  if (Number.isInteger(layout) && layout !== 1) return undefined;
  // What it said besides, such as relays, is still to be read there.
  return `mv ${shellQuote(file)} ${shellQuote(`${dir}.spool.json.bad`)} && ${applyCommand(setup)}`;
}
