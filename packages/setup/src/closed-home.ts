/** The ledger's key of a person's home that was closed is this, and whose it is. */
export const CLOSED_HOME = "home:";

const GROUP_AND_OTHERS = 0o077;

/** The mode of a home that is closed to all but its owner. */
export function closedMode(mode: number): number {
  return mode & ~GROUP_AND_OTHERS;
}
