import { octal, PRIVATE_MODE, ROOT_MODE } from "@agentbus/core";
import { SPOOLS_DIR, spoolDirOf } from "../spool-place.js";
import type { Wanted } from "./change.js";
import type { Planning } from "./planning.js";
import { OWN_DIRECTORIES } from "./spool-drift.js";
import { barsAmong, spoolWish } from "./spool-wish.js";

/** Lets systemd put the modes right at every start, and age nothing away. */
export function tmpfiles({ setup, machine }: Planning): Wanted {
  if (machine.flavour.platform !== "linux" || !machine.flavour.hasSystemd) return { files: [], commands: [] };
  const path = "/etc/tmpfiles.d/agentbus.conf";
  const lines = setup.groups.flatMap((group) => [
    ...OWN_DIRECTORIES.map(({ name, mode }) => lineOf(spoolDirOf(group.name, name), mode, group.name)),
    ...barsAmong(spoolWish(setup, group).barred, "pipes").map((user) =>
      lineOf(spoolDirOf(group.name, `pipes/${user}`), PRIVATE_MODE, group.name),
    ),
  ]);
  const text = ["# managed by agentbus setup; do not edit", lineOf(SPOOLS_DIR, ROOT_MODE, "root"), ...lines, ""].join(
    "\n",
  );
  return {
    files: [
      {
        id: "spool/tmpfiles",
        title: "let systemd put the spools' owners and modes right at every start",
        path,
        text,
        mode: 0o644,
      },
    ],
    commands: [],
  };
}

function lineOf(path: string, mode: number, group: string): string {
  return `d ${path} ${octal(mode)} root ${group} -`;
}
