import fs from "node:fs";
import { asRoot } from "../shell-command.js";
import type { Machine } from "./examined.js";

/** A file below /proc, trimmed; undefined where there is none. */
export function readProc(machine: Machine, name: string): string | undefined {
  try {
    return fs.readFileSync(`${machine.procDir}/${name}`, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** A number below /proc/sys. */
export function readSysctl(machine: Machine, name: string): number | undefined {
  const text = readProc(machine, `sys/${name.replaceAll(".", "/")}`);
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

/** Sets it now, and at every boot. */
export function setSysctl(name: string, value: number): string {
  const setting = `${name}=${value}`;
  return `${asRoot(`sysctl -w ${setting}`)} && echo ${setting} | ${asRoot("tee -a /etc/sysctl.d/60-agentbus.conf")}`;
}
