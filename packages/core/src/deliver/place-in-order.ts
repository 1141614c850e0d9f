import { DEFAULT_PRIORITY } from "../envelope.js";
import { isUlid, ulidOf } from "../message-name.js";
import type { LoadedFile, UnfitLoad } from "./load.js";

/**
 * Whether a file's name puts it before the place that its first envelope gives it. Names decide the order, and anybody may choose
 * one: whoever received a message could put a copy of it, which still belongs to its sender, in front of those that were sent
 * earlier. Later than its place does no harm: the message itself is there already, and the copy a repeat.
 */
export function pushedAhead(file: string, { uid, envelopes }: LoadedFile): UnfitLoad | undefined {
  const [first] = envelopes;
  const { id, priority = DEFAULT_PRIORITY } = (first?.value ?? {}) as { id?: unknown; priority?: unknown };
  const facts = { reason: "bad-name", uid, bytes: undefined, isRegular: true } as const;
  if (typeof priority === "number" && Number(file[0]) < priority)
    return { ...facts, detail: `its name says priority ${file[0]}, its message ${priority}` };
  if (typeof id === "string" && isUlid(id) && ulidOf(file) < id)
    return { ...facts, detail: `its name says ${ulidOf(file)}, which is before its message, ${id}` };
  return undefined;
}
