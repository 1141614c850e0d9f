// A process of another account, which does what it is sent (person.ts). Started as root, it becomes that account for good before
// it does anything.
import * as toolbox from "./toolbox.js";

const [name, gid] = process.argv.slice(2) as [string, string];
const root = process as typeof process & { initgroups(user: string, extraGroup: number): void };
root.initgroups(name, Number(gid));
root.setgid?.(Number(gid));
root.setuid?.(name);
process.umask(0o077);
process.chdir("/");

process.on("message", ({ id, task, args }: { id: number; task: string; args: unknown[] }) => {
  void answer(id, task, args);
});
process.on("disconnect", () => process.exit());
process.send?.({ id: 0, result: process.pid });

async function answer(id: number, task: string, args: unknown[]): Promise<void> {
  try {
    // oxlint-disable-next-line no-implied-eval, typescript/no-implied-eval -- the tests' own code, which runs here as somebody else
    const run = new Function(`return (${task})`)() as (tools: typeof toolbox, ...args: unknown[]) => unknown;
    const result = await run(toolbox, ...args);
    process.send?.({ id, result });
  } catch (error) {
    const { name: kind, message, stack, code, path, fix, details } = error as Error & Record<string, unknown>;
    process.send?.({ id, failure: { name: kind, message, stack, code, path, fix, details } });
  }
}
