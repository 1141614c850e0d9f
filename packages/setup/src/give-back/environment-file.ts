import fs from "node:fs";
import type { Origin } from "../ledger.js";
import { emptyEnvironment } from "../plan/home-files.js";
import { modeOf, type Home } from "./home.js";

const CLOSED = "0600";

/**
 * An environment file that setup has made goes if nobody has written to it. One that was there gets its old mode back, unless its account has
 * written to it since: those keys were meant for a file that nobody else reads.
 */
export function giveBackEnvironment(home: Home, path: string, { how, before = "" }: Origin): void {
  home.withFile(path, false, (file) => {
    if (how === "made") {
      const text = home.read(file).toString("utf8");
      if (text === "" || text === emptyEnvironment(home.name)) return fs.rmSync(file.path, { force: true });
      return home.say(`${file.path} stays: setup has made it, and ${home.name} has written to it`);
    }
    const [mode = "", since = ""] = before.split(" ");
    if (!/^[0-7]{4}$/.test(mode) || modeOf(file) === mode) return;
    if (modeOf(file) !== CLOSED)
      return home.say(
        `${file.path} has mode ${modeOf(file)}, which is not setup's doing: it stays, and was ${mode} before`,
      );
    if (file.stat.mtimeMs >= Date.parse(since))
      return home.say(
        `${file.path} keeps mode ${CLOSED}: ${home.name} has written to it since setup closed it. It was ${mode} before: chmod ${mode} ${file.path}`,
      );
    fs.fchmodSync(file.fd, Number.parseInt(mode, 8));
  });
}
