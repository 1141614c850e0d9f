export type SudoRsVersion = readonly [major: number, minor: number, patch: number];

/** The first that knows settings of one account (`Defaults:codebot`); earlier ones refuse the whole file. */
export const FIRST_SUDO_RS: SudoRsVersion = [0, 2, 4];

/** The first that knows `setenv`; before, it cannot be turned on, and naming it is an error. */
export const FIRST_WITH_SETENV: SudoRsVersion = [0, 2, 6];

/** From what `sudo --version` or `visudo --version` of sudo-rs print; undefined when they do not say. */
export function sudoRsVersion(text: string): SudoRsVersion | undefined {
  const [, major, minor, patch] = /(?:^|\s)v?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  return patch === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

export function isSudoRsFrom(version: SudoRsVersion, first: SudoRsVersion): boolean {
  const differs = version.findIndex((number, index) => number !== first[index]);
  return differs === -1 || (version[differs] ?? 0) > (first[differs] ?? 0);
}
