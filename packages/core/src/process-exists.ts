/** Whether there is a process of this pid; also one that has ended and that nobody has waited for yet. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, under another account.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
