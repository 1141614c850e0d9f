import type { Deed } from "./settle-arena.js";

/** What consumers do with messages: each way in which one can end, and each in which it can be taken up again. */
export const deeds: readonly Deed[] = [
  { name: "acknowledge" },
  { name: "nack", handle: (message) => (message.attempt === 1 ? message.nack({ delayMs: 0 }) : undefined) },
  { name: "throw", handle: failOnce },
  { name: "reject", handle: (message) => message.reject("by the test") },
  { name: "take up what a dead consumer left", isAfterCrash: true },
  { name: "take up what a dead worker left", isAfterCrash: true, options: { shared: true } },
  { name: "go away and come again", closes: true },
];

function failOnce({ attempt }: { attempt: number }): void {
  if (attempt === 1) throw new Error("not yet");
}
