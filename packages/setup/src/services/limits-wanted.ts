import type { Machine } from "../machine.js";
import type { Wanted, WantedFile } from "../plan/change.js";
import { NOTHING } from "../plan/part.js";
import type { PlannedAgent } from "../plan/planning.js";
import { limitsNotHeld } from "./limits-not-held.js";
import { limitLines } from "./systemd-unit.js";

/**
 * The same limits for sessions, beside those of the service: for each process by pam_limits, which su, sudo and ssh ask; for all processes of a
 * session together by the slice of the account, where systemd-logind makes one. macOS has neither. A note names what does not hold here.
 */
export function limitsWanted({ agent, account }: PlannedAgent, { flavour }: Pick<Machine, "flavour">): Wanted {
  const { name, limits } = agent;
  const note = limitsNotHeld(agent, flavour);
  const notes = note === undefined ? [] : [note];
  if (flavour.platform === "darwin" || Object.keys(limits).length === 0) return { ...NOTHING, notes };
  const header =
    "# Managed by agentbus: `agentbus setup apply` writes this file again. Change agentbus.json instead.\n";
  const files: WantedFile[] = [];
  const lines = [
    ["core", 0],
    ["nproc", limits.tasks],
    ["nofile", limits.files],
    // In KiB.
    ["fsize", limits.fileSizeBytes === undefined ? undefined : Math.ceil(limits.fileSizeBytes / 1024)],
  ].flatMap(([item, value]) =>
    value === undefined ? [] : [`${name} hard ${item} ${value}`, `${name} soft ${item} ${value}`],
  );
  if (flavour.accountTools === "shadow") {
    files.push({
      id: `${name}/limits`,
      title: `limit each process in sessions of ${name}`,
      path: `/etc/security/limits.d/60-agentbus-${name}.conf`,
      text: `${header}${lines.join("\n")}\n`,
      mode: 0o644,
    });
  }
  if (flavour.hasSystemd) {
    const together = limitLines(limits).filter((line) => !line.startsWith("Limit") && !line.startsWith("#"));
    if (together.length > 0)
      files.push({
        id: `${name}/slice`,
        title: `limit all sessions of ${name} together`,
        path: `/etc/systemd/system/user-${account.uid}.slice.d/50-agentbus.conf`,
        text: `${header}[Slice]\n${together.join("\n")}\n`,
        mode: 0o644,
      });
  }
  return {
    files,
    notes,
    commands: flavour.hasSystemd
      ? [
          {
            id: `${name}/slice-loaded`,
            title: "let systemd read its files again",
            argv: ["systemctl", "daemon-reload"],
            afterFiles: [`${name}/slice`],
            isDone: () => Promise.resolve(true),
          },
        ]
      : [],
  };
}
