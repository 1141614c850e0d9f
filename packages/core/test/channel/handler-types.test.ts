import { test } from "node:test";
import type { Bus, ChannelMessage, Message, PendingServer, PendingSubscription, SocketMessage } from "@agentbus/core";

interface Query {
  readonly text: string;
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** The assertion is the compiler's: a type that differs breaks the build. */
function isTrue<_Holds extends true>(): void {}

const bySocket = ({ data, isCall }: SocketMessage<Query>) => (isCall ? data.text : null);
const byAny = async ({ data }: ChannelMessage<Query>) => data.text;
const byData = ({ data }: { readonly data: Query }) => data.text;
const byStream = async function* ({ data }: SocketMessage<AsyncIterable<Query>>) {
  for await (const { text } of data) yield text;
};
const bySpool = async (message: Message<Query>) => (message.data.text === "" ? message.nack() : message.data.text);

test("what a handler says that it takes is the type of what a server hands out", () => {
  const serve = (bus: Bus) =>
    ({
      socket: bus.serve("search", bySocket),
      any: bus.serve("search", byAny),
      data: bus.serve("search", byData),
      stream: bus.serve("search", byStream),
      before: bus.serve("search", { concurrency: 1 }, bySocket),
      behind: bus.serve("search", bySocket, { concurrency: 1 }),
      said: bus.serve<Query>("search", ({ data }) => data.text),
    }) as const;
  type Served = ReturnType<typeof serve>;
  isTrue<Equal<Served[Exclude<keyof Served, "stream">], PendingServer<Query>>>();
  isTrue<Equal<Served["stream"], PendingServer<AsyncIterable<Query>>>>();
});

test("data of a handler that says nothing is unknown", () => {
  const serve = (bus: Bus) =>
    bus.serve("search", ({ data }) => {
      isTrue<Equal<typeof data, unknown>>();
    });
  isTrue<Equal<ReturnType<typeof serve>, PendingServer>>();
});

test("one function serves a socket and answers what comes to the inbox; one that settles messages is for the inbox alone", () => {
  const respond = (bus: Bus) => [bus.respond("@codebot", byAny), bus.respond("@codebot", byData)] as const;
  isTrue<Equal<ReturnType<typeof respond>[number], PendingSubscription<Query>>>();
  const inbox = (bus: Bus) => bus.respond("@codebot", bySpool);
  isTrue<Equal<ReturnType<typeof inbox>, PendingSubscription<Query>>>();
  // @ts-expect-error there is nothing to settle in a socket
  const _ = (bus: Bus) => bus.serve("search", bySpool);
});

test("a topic's data has the type of the map, whatever a responder says", () => {
  const _ = (bus: Bus<{ "math.add": { a: number } }>) => {
    bus.respond("math.add", ({ data }) => data.a);
    // @ts-expect-error it is another type
    bus.respond("math.add", byData);
  };
});
