import { BusError, errnoOf } from "../errors.js";
import { loadLater } from "../load-later.js";
import type { PipePackage } from "./pipe.js";
import type { SocketPackage } from "./socket.js";

/**
 * Loads the packages of channels when they are first used. They build on core and not the other way round, so core names them without
 * importing their types; the bundle of the command replaces this file (scripts/bundle.mjs), since it holds them.
 */
export function loadPipePackage(): Promise<PipePackage> {
  return loadPackage<PipePackage>("@agentbus/pipe", "pipes");
}

export function loadSocketPackage(): Promise<SocketPackage> {
  return loadPackage<SocketPackage>("@agentbus/socket", "sockets");
}

/** @param name of an optional package @param what it is for @throws BusError ERR_PACKAGE_MISSING */
export async function loadPackage<Package>(name: string, what: string): Promise<Package> {
  try {
    return await loadLater(() => import(name) as Promise<Package>);
  } catch (cause) {
    if (codeOf(cause) !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new BusError("ERR_PACKAGE_MISSING", `cannot use ${what}: the package ${name} is not installed`, {
      cause,
      fix: `npm install ${name}`,
    });
  }
}

function codeOf(error: unknown): string | undefined {
  return errnoOf(error) ?? (error as { code?: string }).code;
}
