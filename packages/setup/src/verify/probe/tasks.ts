/** All that a probe can be asked to do. */
import {
  arrivalsFrom,
  forgeMessage,
  joinBus,
  leaveBus,
  leaveMessage,
  meddleWith,
  publishTo,
  refusalsOf,
} from "./bus.js";
import { listenAside, tryConnecting, tryDropBox, tryPipes, tryServing, tryTakingDropBox } from "./channels.js";
import { lookAt, tryEntering, tryExecuting, tryReading, tryWriting, writableFilesIn } from "./files.js";
import { startLoginShell } from "./login-shell.js";
import { lendProcess, tryReadingProcesses, trySignalling } from "./processes.js";
import { askSudo } from "./sudo.js";

export const tasks = {
  ...{ tryReading, tryEntering, tryWriting, tryExecuting, writableFilesIn, lookAt },
  ...{ lendProcess, trySignalling, tryReadingProcesses },
  ...{ startLoginShell, askSudo },
  ...{ joinBus, publishTo, arrivalsFrom, refusalsOf, leaveMessage, forgeMessage, meddleWith, leaveBus },
  ...{ tryServing, tryPipes, tryConnecting, listenAside, tryDropBox, tryTakingDropBox },
  /** The groups that the kernel counts this process to, without its own (getgroups(2)). */
  groups: (): number[] => process.getgroups?.() ?? [],
};

export type Tasks = typeof tasks;
