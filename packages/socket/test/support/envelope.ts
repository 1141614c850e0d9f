import type { SocketArena } from "./socket-arena.js";

/** An envelope to the arena's account, as a client that keeps to no rules writes it. */
export function envelope(arena: SocketArena, changes: object = {}): string {
  const facts = {
    specversion: "1.0",
    id: "01JQ6T8Z1V4M9X7C2B5N8K3D6F",
    source: `/agents/${arena.user}`,
    type: "t",
    topic: "t",
  };
  return JSON.stringify({ ...facts, time: new Date().toISOString(), to: `@${arena.user}`, data: 1, ...changes });
}
