import type { GlobalOptions } from "../program.js";
/** placeholder until wired */
export async function verifyAction(_file: string, _options: GlobalOptions): Promise<void> {
  throw new Error("not wired");
}
