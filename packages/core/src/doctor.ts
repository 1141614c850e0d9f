import type { DiagnoseOptions } from "./doctor/diagnose.js";
import type { Finding } from "./doctor/finding.js";

/**
 * Looks at everything that the bus depends on, and says for each thing that is not as it should be what mends it. It changes
 * nothing, and what it cannot see, as this account, it leaves out.
 *
 * Loaded when it is called: who only publishes shall not wait for it.
 * @throws TypeError for options that cannot be; nothing else
 */
export async function diagnose(options: DiagnoseOptions = {}): Promise<Finding[]> {
  const doctor = await import("./doctor/diagnose.js");
  return doctor.diagnose(options);
}
