const actions = new Set<() => void>();

function runAll(): void {
  for (const action of actions) {
    try {
      action();
    } catch {
      // The process ends; what stays is swept by the next one.
    }
  }
}

/**
 * Has something removed when the process ends by itself or by `process.exit()`, without a bus having been closed. Not when a signal
 * ends it: then the next process of the account sweeps. One listener for all, since Node warns of more than ten.
 * @returns what takes the action back
 */
export function atExit(action: () => void): () => void {
  if (actions.size === 0) process.on("exit", runAll);
  actions.add(action);
  return () => {
    actions.delete(action);
    if (actions.size === 0) process.off("exit", runAll);
  };
}
