import type { Machine } from "../machine.js";

const MAX_SHADOW_BYTES = 4 * 1024 * 1024;

/** Whether an account has a password: "none" means that nobody is asked for one. */
export async function passwordOf(name: string, machine: Machine): Promise<"locked" | "set" | "none" | "unknown"> {
  if (machine.flavour.platform === "darwin") return passwordOnMac(name, machine);
  const shadow = machine.read("/etc/shadow", MAX_SHADOW_BYTES) ?? "";
  const field = fieldIn(shadow, name) ?? fieldIn(machine.read("/etc/passwd", MAX_SHADOW_BYTES) ?? "", name);
  if (field === undefined) return "unknown";
  if (field === "") return "none";
  // crypt(5): no hash begins with these, so no password fits.
  return /^[!*x]/.test(field) ? "locked" : "set";
}

function fieldIn(text: string, name: string): string | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${name}:`));
  return line?.split(":")[1];
}

/** An account without AuthenticationAuthority has nothing to log in with. */
async function passwordOnMac(name: string, machine: Machine): Promise<"locked" | "set" | "unknown"> {
  const { status, stdout } = await machine.run([
    "/usr/bin/dscl",
    ".",
    "-read",
    `/Users/${name}`,
    "AuthenticationAuthority",
  ]);
  if (status !== 0) return "unknown";
  return /ShadowHash|SecureToken/.test(stdout) ? "set" : "locked";
}
