import { Accounts } from "./accounts.js";
import { isBusError } from "./errors.js";
import { nodeFileSystem } from "./file-system.js";
import { readSpool } from "./spool-file.js";
import { locateSpool, type SpoolChoice } from "./spool-location.js";

/**
 * The path of the spool that `openBus()` opens, for who only wants to know where it is: nothing is opened or made. Undefined
 * when that is the personal one and its first use is still to come.
 * @param env @default process.env @throws as `openBus`
 */
export async function spoolPath(choice: SpoolChoice = {}, env = process.env): Promise<string | undefined> {
  const services = { fileSystem: nodeFileSystem, accounts: new Accounts() };
  const place = await locateSpool(choice, env, services);
  try {
    return (await readSpool(place, services)).path;
  } catch (error) {
    if (place.isPersonal && isBusError(error) && error.code === "ERR_SPOOL_NOT_FOUND") return undefined;
    throw error;
  }
}
