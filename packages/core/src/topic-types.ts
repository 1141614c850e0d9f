/** What `openBus<Topics>()` knows of topics when it is not told: any topic, any data. */
export type AnyTopics = Record<string, unknown>;

/**
 * The topics of a map that a pattern matches: with `{ "build.done": Build; "build.failed": Failure }`, the pattern
 * `"build.*"` matches both names.
 */
export type MatchingTopics<Pattern extends string, Topics> = Pattern extends string
  ? { [Topic in keyof Topics & string]: Matches<Topic, Pattern> extends true ? Topic : never }[keyof Topics & string]
  : never;

/**
 * The type of the data of messages on a topic, or on any topic that a pattern matches. It is `unknown` for an
 * address, for a topic that the map does not name, for a pattern that is not a literal, and without a map.
 */
export type DataOf<Topics, Pattern extends string> = string extends keyof Topics
  ? unknown
  : Pattern extends string
    ? DataOfOne<Topics, Pattern>
    : never;

type DataOfOne<Topics, Pattern extends string> = [MatchingTopics<Pattern, Topics>] extends [never]
  ? unknown
  : Topics[MatchingTopics<Pattern, Topics> & keyof Topics];

/** The rules of `matchesPattern`, one token at a time. */
type Matches<Topic extends string, Pattern extends string> = Pattern extends "**"
  ? true
  : Pattern extends `${infer First}.${infer Rest}`
    ? Topic extends `${infer Token}.${infer Tokens}`
      ? First extends "*" | Token
        ? Matches<Tokens, Rest>
        : false
      : false
    : Topic extends `${string}.${string}`
      ? false
      : Pattern extends "*" | Topic
        ? true
        : false;
