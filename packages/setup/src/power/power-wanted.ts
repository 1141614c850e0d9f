import type { Machine } from "../machine.js";
import type { Wanted, WantedCommand } from "../plan/change.js";
import { NOTHING } from "../plan/part.js";
import type { PowerSetup } from "../setup.js";
import { AWAKE, isSleepDisabled, parsePmset, type SourceFlag } from "./pmset.js";

/** What keeps the machine awake, and only if agentbus.json asks for it: it is a setting of the whole machine. */
export async function powerWanted(power: PowerSetup, machine: Machine): Promise<Wanted> {
  if (!power.stayAwake && !power.lidClosed) return NOTHING;
  return machine.flavour.platform === "darwin" ? pmset(power, machine) : logind(power, machine);
}

const HEAT = "a closed laptop that does not sleep becomes hot, in a bag dangerously so, and empties its battery";

/** A drop-in, which counts from the next start of systemd-logind: a desktop has settings of its own beside it. */
function logind({ stayAwake, lidClosed }: PowerSetup, { flavour }: Machine): Wanted {
  if (!flavour.hasSystemd)
    return { ...NOTHING, notes: ["power in agentbus.json needs systemd-logind or macOS: nothing is changed here"] };
  const lid = ["HandleLidSwitch=ignore", "HandleLidSwitchExternalPower=ignore", "HandleLidSwitchDocked=ignore"];
  const lines = [...(stayAwake ? ["IdleAction=ignore"] : []), ...(lidClosed ? lid : [])];
  return {
    files: [
      {
        id: "power/logind",
        title: lidClosed ? "never sleep by itself, not even with a closed lid" : "never sleep by itself",
        path: "/etc/systemd/logind.conf.d/50-agentbus.conf",
        text: `# Managed by agentbus: \`agentbus setup apply\` writes this file again. Change agentbus.json instead.\n[Login]\n${lines.join("\n")}\n`,
        mode: 0o644,
        remarks: ["it counts from the next start of the machine", ...(lidClosed ? [HEAT] : [])],
      },
    ],
    commands: [],
  };
}

/** Of a setting that pmset does not show: of a pretended Mac. */
const UNKNOWN = "unknown";

/** What a setting of the ledger is now, such as "pmset-c.sleep" or "pmset.disablesleep"; undefined: pmset does not say. */
export async function powerSetting(machine: Machine, key: string): Promise<string | undefined> {
  const [, flag, name] = /^pmset(-[bcu])?\.([a-z]+)$/.exec(key) ?? [];
  if (name === "disablesleep" && flag === undefined)
    return isSleepDisabled((await machine.run(["pmset", "-g"])).stdout) ? "1" : "0";
  const sources = parsePmset((await machine.run(["pmset", "-g", "custom"])).stdout);
  return name === undefined ? undefined : sources.get(flag as SourceFlag)?.[name];
}

/** What setup makes of it. */
export function wantedPowerSetting(key: string): string {
  return AWAKE[key.slice(key.indexOf(".") + 1)] ?? "1";
}

/** One command for each value of each power source, so that the old value of each is kept and comes back. */
async function pmset({ stayAwake, lidClosed }: PowerSetup, machine: Machine): Promise<Wanted> {
  // A pretended Mac is one that only knows a cable.
  const found = parsePmset((await machine.run(["pmset", "-g", "custom"])).stdout);
  if (stayAwake && found.size === 0 && machine.access !== "pretended")
    return { ...NOTHING, notes: ["pmset -g custom says nothing that setup understands: power is left as it is"] };
  const sources: typeof found = found.size > 0 ? found : new Map([["-c", {}]]);
  const commands = stayAwake
    ? [...sources].flatMap(([flag, now]) =>
        Object.entries(AWAKE)
          // A Mac mini knows no battery's settings, an old one no powernap: what it does not list it does not have.
          .filter(([name]) => found.size === 0 || now[name] !== undefined)
          .map(([name, value]) => setting(flag, name, value, now[name])),
      )
    : [];
  return { files: [], commands: [...commands, ...(lidClosed ? [await neverSleep(machine)] : [])] };
}

function setting(flag: SourceFlag, name: string, value: string, before: string | undefined): WantedCommand {
  const isNow = async (machine: Machine, expected: string) =>
    parsePmset((await machine.run(["pmset", "-g", "custom"])).stdout).get(flag)?.[name] === expected;
  return {
    id: `power/pmset${flag}-${name}`,
    title: `set ${name} to ${value} ${{ "-c": "with a cable", "-b": "from the battery", "-u": "from a UPS" }[flag]}`,
    argv: ["pmset", flag, name, value],
    isDone: (machine) => isNow(machine, value),
    setting: { key: `pmset${flag}.${name}`, value: before ?? UNKNOWN, wanted: value },
    undo: {
      title: `give ${name} its old value`,
      argv: ["pmset", flag, name, "{before}"],
      isUndone: async (machine) => before === undefined || isNow(machine, before),
    },
  };
}

/** Undocumented, and the only thing that a closed lid obeys; it holds for every power source. */
async function neverSleep(machine: Machine): Promise<WantedCommand> {
  const isDisabled = async (on: Machine) => isSleepDisabled((await on.run(["pmset", "-g"])).stdout);
  const before = (await isDisabled(machine)) ? "1" : "0";
  return {
    id: "power/pmset-disablesleep",
    title: "never sleep, not even with a closed lid",
    argv: ["pmset", "-a", "disablesleep", "1"],
    remarks: [HEAT],
    isDone: isDisabled,
    setting: { key: "pmset.disablesleep", value: before, wanted: "1" },
    undo: {
      title: "let a closed lid put it to sleep again; it notices when the lid is next opened or closed",
      argv: ["pmset", "-a", "disablesleep", "{before}"],
      isUndone: async (on) => (await isDisabled(on)) === (before === "1"),
    },
  };
}
