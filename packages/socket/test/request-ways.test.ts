import assert from "node:assert/strict";
import { test } from "node:test";
import { isBusError, type Bus, type ChannelMessage, type RequestOptions } from "@agentbus/core";
import { inArena, type SocketArena } from "./support/socket-arena.js";

type Way = "spool" | "socket";

interface Case {
  readonly what: string;
  readonly data?: unknown;
  readonly options?: RequestOptions;
  /** Answers; none is there when it is left out. */
  readonly responder?: (message: ChannelMessage) => unknown;
  /** @param user whom the request is for @default the arena's own account */
  readonly user?: string;
  /** Done while the request waits. */
  readonly meanwhile?: (asker: Bus, abort: (reason: Error) => void) => void;
}

const echo = ({ data, topic }: ChannelMessage) => ({ data, topic });
const fail = (reason: unknown) => () => {
  throw reason;
};
const never = () => new Promise(() => undefined);
const circle: Record<string, unknown> = {};
circle["self"] = circle;
async function* stream() {
  yield 1;
}

const CASES: readonly Case[] = [
  { what: "is answered", data: { a: 1 }, responder: echo },
  { what: "is answered with nothing", responder: () => undefined },
  { what: "is answered later", data: "ü", responder: async (message) => echo(message) },
  { what: "has binary data", data: Buffer.from([0, 255]), responder: ({ data }) => data },
  {
    what: "has attributes of its own",
    options: { subject: "s", type: "query", extensions: { mine: 1 } },
    responder: ({ envelope }) => [envelope.subject, envelope.type, envelope["mine"]],
  },
  { what: "is answered by a handler that throws", responder: fail(new Error("not today")) },
  { what: "is answered by a handler that throws several lines", responder: fail(new Error("not\ntoday")) },
  { what: "is answered by a handler that throws no error", responder: fail("not today") },
  { what: "is answered by a handler that throws an error without words", responder: fail(new Error("")) },
  { what: "is answered by a handler that throws what has no text", responder: fail({ toString: fail(1) }) },
  { what: "is answered by a handler that rejects", responder: () => Promise.reject(new Error("not today")) },
  { what: "has an answer that is too large", responder: () => "x".repeat(5_000_000) },
  { what: "has an answer that is no JSON", responder: () => circle },
  { what: "has an answer that is a stream", responder: stream },
  { what: "is too large", data: "x".repeat(5_000_000), responder: echo },
  { what: "is no JSON", data: circle, responder: echo },
  { what: "is a stream", data: stream(), responder: echo },
  { what: "is not answered in time", options: { timeoutMs: 50 }, responder: never },
  { what: "finds nobody who answers", options: { timeoutMs: 50 } },
  { what: "is for nobody", user: "nobody-of-that-name", responder: echo },
  { what: "was aborted before", options: { signal: AbortSignal.abort(new Error("changed my mind")) }, responder: echo },
  {
    what: "is aborted while it waits",
    responder: never,
    meanwhile: (_, abort) => abort(new Error("changed my mind")),
  },
  { what: "is given up because the bus is closed", responder: never, meanwhile: (asker) => void asker.close() },
  { what: "has an option that there is not", options: { urgency: 1 } as RequestOptions, responder: echo },
  { what: "has a timeout that cannot be", options: { timeoutMs: 0 }, responder: echo },
  { what: "has a type that cannot be", options: { type: "" }, responder: echo },
];

async function outcomeOf(each: Case, way: Way, isNamed: boolean): Promise<unknown> {
  let outcome: unknown;
  await inArena(async (arena) => {
    outcome = await ask(arena, each, way, isNamed);
  });
  return outcome;
}

async function ask(
  arena: SocketArena,
  { data, options = {}, responder, user = arena.user, meanwhile }: Case,
  way: Way,
  isNamed: boolean,
): Promise<unknown> {
  const [responding, asker] = [await arena.bus(), await arena.bus()];
  const aborting = new AbortController();
  const asking = { timeoutMs: 5_000, signal: aborting.signal, ...options };
  let asked: (() => void) | undefined;
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const answer = (message: ChannelMessage) => {
    assert.equal("isCall" in message, way === "socket");
    asked?.();
    return responder?.(message);
  };
  if (responder !== undefined && way === "spool") await responding.respond(`@${arena.user}`, answer);
  if (responder !== undefined && way === "socket") await responding.serve("search", answer);
  try {
    const requesting = isNamed
      ? asker.request(`@${user}/search`, data, asking)
      : asker.request(`@${user}`, data, { ...asking, topic: "search" });
    requesting.catch(() => undefined);
    if (meanwhile !== undefined) {
      await isAsked;
      meanwhile(asker, (reason) => aborting.abort(reason));
    }
    const { sender, topic, type, envelope, ...rest } = await requesting;
    return { sender, topic, type, hops: envelope.hops, data: rest.data };
  } catch (error) {
    if (!isBusError(error)) return error;
    const { code, fix, details } = error;
    const path = error.path?.replace(arena.spool, "");
    // The envelope of an answer by the spool is some bytes longer, since it goes to a mailbox of the asker's.
    const message = error.message
      .replace(/~reply-[a-z0-9]+/, "")
      .replace(/\d{7} bytes/, "as many bytes")
      .replace(arena.spool, "");
    return { code, message, fix, details, path };
  } finally {
    await Promise.all([responding.close(), asker.close()]);
  }
}

for (const each of CASES) {
  test(`a request that ${each.what} has the same outcome by a socket and by the spool, whichever way it is addressed`, async () => {
    for (const isNamed of [true, false]) {
      const [bySpool, bySocket] = [await outcomeOf(each, "spool", isNamed), await outcomeOf(each, "socket", isNamed)];
      assert.deepEqual(bySocket, bySpool);
    }
  });
}
