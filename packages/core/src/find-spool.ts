import { createSpool } from "./create-spool.js";
import { isBusError } from "./errors.js";
import { readSpool } from "./spool-file.js";
import { locateSpool, type SpoolChoice } from "./spool-location.js";
import type { SpoolServices } from "./spool-plan.js";
import type { SpoolFacts } from "./spool.js";

/**
 * The spool that a bus opens: chosen, trusted and read. The personal one is made when it is not there yet.
 * @throws BusError all that `locateSpool`, `readSpool` and `createSpool` throw
 */
export async function findSpool(
  choice: SpoolChoice,
  env: NodeJS.ProcessEnv,
  services: SpoolServices,
): Promise<SpoolFacts> {
  const place = await locateSpool(choice, env, services);
  try {
    return await readSpool(place, services);
  } catch (error) {
    if (!place.isPersonal || !isBusError(error) || error.code !== "ERR_SPOOL_NOT_FOUND") throw error;
  }
  await createSpool({ spool: place.path, env }, services);
  return readSpool(place, services);
}
