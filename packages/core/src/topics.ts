import { BusError } from "./errors.js";

/** A topic and a pattern have at most this many bytes; both are plain ASCII. */
export const MAX_TOPIC_BYTES = 200;

const TOKEN = /^[A-Za-z0-9_-]+$/;
const TOPIC = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;
const PATTERN = /^(?:\*\*|(?:[A-Za-z0-9_-]+|\*)(?:\.(?:[A-Za-z0-9_-]+|\*))*(?:\.\*\*)?)$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;
const SUBSCRIPTION_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const ADDRESS = new RegExp(`^@(${unanchored(USER)})(?:~(${unanchored(SUBSCRIPTION_NAME)}))?$`);

/** A parsed pattern: ready to be matched any number of times. */
export interface Pattern {
  readonly text: string;
  /** `*` stands for one token, a final `**` for one or more. */
  readonly tokens: readonly string[];
  /** True when the pattern is a topic and matches nothing else. */
  readonly isTopic: boolean;
}

export interface Address {
  readonly user: string;
  /** "inbox", or the mailbox that answers to a request come to. */
  readonly subscription: string;
}

/** The subscription that `@user` stands for. */
export const INBOX = "inbox";

export function isTopic(text: string): boolean {
  return text.length <= MAX_TOPIC_BYTES && TOPIC.test(text);
}

function isPattern(text: string): boolean {
  return text.length <= MAX_TOPIC_BYTES && PATTERN.test(text);
}

/** @returns the topic unchanged @throws BusError ERR_TOPIC_INVALID, TypeError when it is not a string */
export function parseTopic(text: string): string {
  requireString(text, "a topic");
  if (isTopic(text)) return text;
  throw invalid("topic", text, topicComplaint(text));
}

/** @throws BusError ERR_TOPIC_INVALID with what to write instead, TypeError when it is not a string */
export function parsePattern(text: string): Pattern {
  requireString(text, "a pattern");
  if (!isPattern(text)) throw invalid("pattern", text, patternComplaint(text));
  return { text, tokens: text.split("."), isTopic: !text.includes("*") };
}

/** Whether a pattern matches a well-formed topic. An address never matches. */
export function matchesPattern(pattern: Pattern, topic: string): boolean {
  return pattern.isTopic ? pattern.text === topic : !topic.startsWith("@") && matchesTokens(pattern, topic.split("."));
}

/**
 * One function for all patterns of a subscription. Token by token: as one regular expression they would be quick to match, but
 * the longest list that a neighbour may write takes V8 seconds to compile, in every publisher.
 * @throws as `parsePattern` does
 */
export function compilePatterns(patterns: readonly string[]): (topic: string) => boolean {
  const parsed = patterns.map(parsePattern);
  const topics = new Set(parsed.filter((pattern) => pattern.isTopic).map((pattern) => pattern.text));
  const others = parsed.filter((pattern) => !pattern.isTopic);
  if (others.length === 0) return (topic) => topics.has(topic);
  const matches = (topic: string): boolean => {
    if (topics.has(topic)) return true;
    if (topic.startsWith("@")) return false;
    const tokens = topic.split(".");
    return others.some((pattern) => matchesTokens(pattern, tokens));
  };
  // Most messages have the topic of the one before.
  let last = "";
  let isMatch = matches(last);
  return (topic) => {
    if (topic !== last) {
      isMatch = matches(topic);
      last = topic;
    }
    return isMatch;
  };
}

function matchesTokens({ tokens: wanted }: Pattern, tokens: readonly string[]): boolean {
  const isOpen = wanted.at(-1) === "**";
  if (isOpen ? tokens.length < wanted.length : tokens.length !== wanted.length) return false;
  const fixed = isOpen ? wanted.length - 1 : wanted.length;
  for (let i = 0; i < fixed; i++) if (wanted[i] !== "*" && wanted[i] !== tokens[i]) return false;
  return true;
}

/** `@user`, or `@user~name` for a mailbox of answers. @throws BusError ERR_TOPIC_INVALID, TypeError when it is not a string */
export function parseAddress(text: string): Address {
  requireString(text, "an address");
  const [, user, subscription = INBOX] = ADDRESS.exec(text) ?? [];
  if (user === undefined) throw invalid("address", text, `it is not "@" and the name of an account`);
  return { user, subscription };
}

export function isAddress(text: string): boolean {
  return ADDRESS.test(text);
}

/** The names of accounts that can use the bus: those that fit into a directory name, `<user>~<subscription>`. */
export function isUserName(text: string): boolean {
  return USER.test(text);
}

export function isSubscriptionName(text: string): boolean {
  return SUBSCRIPTION_NAME.test(text);
}

function unanchored(expression: RegExp): string {
  return expression.source.slice(1, -1);
}

function requireString(text: unknown, what: string): void {
  if (typeof text !== "string") throw new TypeError(`${what} is a string, not ${text === null ? "null" : typeof text}`);
}

function topicComplaint(text: string): string {
  if (text.startsWith("@")) return "it is an address";
  if (isPattern(text)) return "it is a pattern, and a message has exactly one topic";
  return complaint(text, (token) => !TOKEN.test(token));
}

function patternComplaint(text: string): string {
  if (text.startsWith("@")) return "it is an address, which never matches a pattern";
  const tokens = text.split(".");
  if (tokens.slice(0, -1).includes("**")) return `"**" can only stand at the end`;
  return complaint(text, (token) => token !== "*" && token !== "**" && !TOKEN.test(token));
}

function complaint(text: string, isBad: (token: string) => boolean): string {
  const tokens = text.split(".");
  const bad = tokens.find(isBad);
  const bytes = Buffer.byteLength(text);
  if (text === "") return "it is empty";
  if (bytes > MAX_TOPIC_BYTES) return `it has ${bytes} bytes, and at most ${MAX_TOPIC_BYTES} are allowed`;
  if (tokens.includes("")) return "it has an empty token: a dot too many";
  if (bad?.includes("*")) return `the token ${quoted(bad)} mixes a wildcard with text`;
  return `the token ${quoted(bad ?? "")} has other characters than A-Z a-z 0-9 _ -`;
}

function invalid(kind: "topic" | "pattern" | "address", text: string, why: string): BusError {
  return new BusError(
    "ERR_TOPIC_INVALID",
    `${quoted(text)} is not ${kind === "address" ? "an address" : `a ${kind}`}: ${why}`,
    {
      fix: fixOf(kind, text),
      details: { [kind]: text },
    },
  );
}

function fixOf(kind: "topic" | "pattern" | "address", text: string): string {
  if (kind === "address") return `write "@codebot" for the inbox of the account codebot`;
  if (kind === "pattern" && isAddress(text)) return `subscribe to "${text}" by itself, not as one of several patterns`;
  const tokens = text.split(/[./\\:]+/).filter((token) => token !== "");
  const better = tokens.map((token, index) => translated(token, index === tokens.length - 1)).join(".");
  if (kind === "pattern" ? isPattern(better) : isTopic(better)) return `write "${better}"`;
  if (kind === "topic") return `write tokens of A-Z a-z 0-9 _ - joined by dots, such as "build.linux.done"`;
  return `write tokens joined by dots, where * is one whole token and a final ** one or more, such as "build.*.done" or "build.**"`;
}

/** What other systems call our wildcards: MQTT and AMQP "#" and "+", NATS ">". */
function translated(token: string, isLast: boolean): string {
  if (token === "#" || token === ">" || token === "**") return isLast ? "**" : "*";
  return token === "+" ? "*" : token.trim().replaceAll(/\s+/g, "-");
}

/** Somebody else's text, fit for a terminal. */
function quoted(text: string): string {
  const start = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
  return start.replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
