import { test } from "node:test";
import type { AnyTopics, DataOf, MatchingTopics } from "#core/topic-types.js";

interface Build {
  readonly commit: string;
}
interface Failure {
  readonly reason: string;
}
interface Topics {
  "build.done": Build;
  "build.failed": Failure;
  "build.linux.done": Build;
  alarm: number;
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** The assertion is the compiler's: a type that differs breaks the build. */
function isTrue<_Holds extends true>(): void {}

test("a topic has the type that the map gives it", () => {
  isTrue<Equal<DataOf<Topics, "build.done">, Build>>();
  isTrue<Equal<DataOf<Topics, "alarm">, number>>();
});

test("a pattern has the types of all topics that it matches, and of no other", () => {
  isTrue<Equal<DataOf<Topics, "build.*">, Build | Failure>>();
  isTrue<Equal<DataOf<Topics, "build.*.done">, Build>>();
  isTrue<Equal<DataOf<Topics, "*">, number>>();
  isTrue<Equal<DataOf<Topics, "build.**">, Build | Failure>>();
  isTrue<Equal<DataOf<Topics, "**">, Build | Failure | number>>();
  isTrue<Equal<MatchingTopics<"build.*", Topics>, "build.done" | "build.failed">>();
  isTrue<Equal<MatchingTopics<"*.*.*", Topics>, "build.linux.done">>();
  isTrue<Equal<MatchingTopics<"build.done.**", Topics>, never>>();
  // @ts-expect-error a final ** is one or more tokens, so alarm.** does not match alarm
  isTrue<Equal<MatchingTopics<"alarm.**", Topics>, "alarm">>();
});

test("several patterns have the types of all of them", () => {
  isTrue<Equal<DataOf<Topics, "alarm" | "build.failed">, number | Failure>>();
  isTrue<Equal<DataOf<Topics, "alarm" | "elsewhere">, unknown>>();
});

test("data is unknown where the map says nothing", () => {
  isTrue<Equal<DataOf<Topics, "deploy.done">, unknown>>();
  isTrue<Equal<DataOf<Topics, "deploy.*">, unknown>>();
  isTrue<Equal<DataOf<Topics, "@codebot">, unknown>>();
  isTrue<Equal<DataOf<Topics, string>, unknown>>();
  isTrue<Equal<DataOf<Topics, `build.${string}`>, unknown>>();
});

test("without a map any topic is allowed and all data is unknown", () => {
  isTrue<Equal<DataOf<AnyTopics, "build.done">, unknown>>();
  isTrue<Equal<DataOf<AnyTopics, "**">, unknown>>();
  isTrue<Equal<DataOf<AnyTopics, string>, unknown>>();
});
