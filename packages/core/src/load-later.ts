import fs from "node:fs";

/** More files than a load reads at a time. */
const DESCRIPTORS = 24;

/**
 * Loads a module that is not always needed. import() remembers a failure for the life of the process (nodejs/node#49442), so one for
 * want of descriptors must not come about: whoever tries again later shall find some.
 * @throws the system's error when the process has too few of them left
 */
export function loadLater<Module>(load: () => Promise<Module>): Promise<Module> {
  requireDescriptors();
  return load();
}

function requireDescriptors(): void {
  const opened: number[] = [];
  try {
    while (opened.length < DESCRIPTORS) opened.push(fs.openSync("/dev/null", "r"));
  } finally {
    for (const fd of opened) fs.closeSync(fd);
  }
}
