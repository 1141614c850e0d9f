/**
 * Every path of a spool, who owns it, with which mode, and why: the one table. Creating directories, the doctor and
 * docs/permissions.md read it; rights.ts derives from it who may do what.
 */

/** `/var/spool/agentbus/`: anybody may see which groups have a spool. */
export const ROOT_MODE = 0o755;
/** The spool itself: members enter and list, outsiders get no further. */
const SPOOL_MODE = 0o2750;
/** `subscriptions/` and its like: members add their own entries; sticky, so they remove nobody else's. */
const MEMBERS_MODE = 0o3770;
/** `schemas/`, a subscription's directory, `run/<user>/`: its owner's, readable for members. */
export const READABLE_MODE = 0o2750;
/** `new/` of a subscription: members put messages in, the sticky bit keeps each other's hands off. */
export const DROP_BOX_MODE = 0o3770;
/** `new/` of an inbox, and `pipes/<user>/`: a drop box that members cannot list. */
export const INBOX_MODE = 0o3730;
/** A directory of a queue: any member takes and settles. */
export const QUEUE_MODE = 0o2770;
/** `outbox/<user>/`: private, but setgid, so that what is created in it belongs to the spool's group. */
export const OUTBOX_MODE = 0o2700;
/** What nobody but its owner enters: `cur/`, `retry/`, `dead/`, locks; in a personal spool every directory. */
export const PRIVATE_MODE = 0o700;
/** A message file: its sender's, readable for whichever member finds it in its drop box. */
export const MESSAGE_MODE = 0o640;
/** `spool.json`, `subscription.json`, `consumer.json` and schemas: their owner's, readable for members. */
export const READABLE_FILE_MODE = 0o640;
/** Private records: copies of dead letters, seen ids. */
export const PRIVATE_FILE_MODE = 0o600;
/** A socket: connect(2) asks for write permission on it. */
const SOCKET_MODE = 0o660;

export type SpoolKind = "group" | "personal";
export type PathType = "directory" | "file" | "fifo" | "socket";

export interface PathRule {
  /** Relative to the spool, with `<placeholders>`; a directory ends in "/"; "./" is the spool itself. */
  readonly path: string;
  readonly type: PathType;
  /** "sender" is whichever member put it there. In a personal spool everything belongs to its one user. */
  readonly owner: "root" | "<user>" | "sender";
  /** In a group's spool. A personal spool's directories are 0700, and its files as here. */
  readonly mode: number;
  readonly madeBy: "init" | "bus" | "administrator";
  readonly purpose: string;
  /** Why this mode and no other. */
  readonly why: string;
}

/** The mode of a path in a spool of this kind. */
export function modeIn(kind: SpoolKind, rule: Pick<PathRule, "type" | "mode">): number {
  return rule.type === "directory" ? directoryMode(kind, rule.mode) : rule.mode;
}

/** In a personal spool there is nobody to share with, so all its directories are private. */
export function directoryMode(kind: SpoolKind, groupMode: number): number {
  return kind === "personal" ? PRIVATE_MODE : groupMode;
}

/** Whether a drop box of pipes is what root puts in the place of that of a barred account. */
export function isShutDropBox(stat: { readonly uid: number; readonly mode: number; isDirectory(): boolean }): boolean {
  return stat.isDirectory() && stat.uid === 0 && (stat.mode & 0o777) === PRIVATE_MODE;
}

const SUBSCRIPTION = "subscriptions/<user>~<name>/";
const QUEUE = "queues/<name>/";

/** "2750", as ls and chmod(1) have it. */
export function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

/** Parents stand before what they hold, so creating in this order works; exceptions stand before the rule they except. */
export const PATHS: readonly PathRule[] = Object.freeze([
  directory("./", "root", SPOOL_MODE, "init", {
    purpose: "The spool of one group.",
    why: "Root's, so that no member can move a part of it away; without rights for others, who cannot even look.",
  }),
  file("spool.json", "root", READABLE_FILE_MODE, "init", {
    purpose: "Layout version, limits, who may speak for others, and who is barred from channels.",
    why: "Only root changes the rules that all members rely on.",
  }),
  directory("schemas/", "root", READABLE_MODE, "init", {
    purpose: "JSON Schemas for the data of topics.",
    why: "Only root changes the rules that all members rely on.",
  }),
  file("schemas/<topic>.schema.json", "root", READABLE_FILE_MODE, "administrator", {
    purpose: "What the data of one topic must look like.",
    why: "Publishers and receivers check against the same file.",
  }),

  directory("subscriptions/", "root", MEMBERS_MODE, "init", {
    purpose: "One directory for each subscription.",
    why: "Members add their own; the sticky bit lets nobody rename or remove another's.",
  }),
  directory(SUBSCRIPTION, "<user>", READABLE_MODE, "bus", {
    purpose: "One subscription; it counts only if its owner is the user in its name.",
    why: "Publishers of all members must find the patterns and the drop box in it, and may change neither.",
  }),
  file(`${SUBSCRIPTION}subscription.json`, "<user>", READABLE_FILE_MODE, "bus", {
    purpose: "Patterns and options.",
    why: "Publishers match topics against it.",
  }),
  directory("subscriptions/<user>~inbox/new/", "<user>", INBOX_MODE, "bus", {
    purpose: "The drop box of direct messages to one agent.",
    why: "Members put messages in but cannot list it, and the 130 random bits of a name are not to be guessed: a direct message stays between two.",
  }),
  file("subscriptions/<user>~inbox/new/<message>.json", "sender", MESSAGE_MODE, "bus", {
    purpose: "A direct message.",
    why: "The receiver reads it as a member of the group; other members could as well, if they knew its name.",
  }),
  directory("subscriptions/<user>~reply-<token>/new/", "<user>", INBOX_MODE, "bus", {
    purpose: "The drop box of answers to one agent's requests.",
    why: "As with an inbox, an answer stays between two.",
  }),
  directory(`${SUBSCRIPTION}new/`, "<user>", DROP_BOX_MODE, "bus", {
    purpose: "The drop box: messages that wait.",
    why: "Members put messages in, and may count them to keep to the backlog limit; the sticky bit lets a sender take back only its own.",
  }),
  file(`${SUBSCRIPTION}new/<message>.json`, "sender", MESSAGE_MODE, "bus", {
    purpose: "A message, or several of one sender.",
    why: "Its owner is the proof of who sent it. The sender could still write to it, so a receiver reads it once and trusts only what it has read.",
  }),
  file(`${SUBSCRIPTION}new/<message>.jsonl`, "sender", MESSAGE_MODE, "bus", {
    purpose: "A stream: messages of one sender, who may append more for some seconds.",
    why: "As for any message. Nobody else could append to it, and whoever reads it reads each line once.",
  }),
  file(`${SUBSCRIPTION}new/.<place>.sealed`, "<user>", PRIVATE_FILE_MODE, "bus", {
    purpose: "Tells the sender of a stream to append nothing more. Empty; stays for a minute.",
    why: "That it is there is all that it says. The sticky bit keeps others from removing it.",
  }),
  directory("subscriptions/<user>~inbox/tally/", "<user>", DROP_BOX_MODE, "bus", {
    purpose: "One empty file for each message that waits in the inbox, named by a hash.",
    why: "Lets senders count an inbox that they cannot list; a hash does not give the message's name away.",
  }),
  file("subscriptions/<user>~inbox/tally/<hash>", "sender", MESSAGE_MODE, "bus", {
    purpose: "Counts one waiting message.",
    why: "Empty, so that there is nothing in it to protect.",
  }),
  directory(`${SUBSCRIPTION}cur/`, "<user>", PRIVATE_MODE, "bus", {
    purpose: "Messages that a consumer has claimed.",
    why: "Once it is claimed nobody, not even its sender, can take a message away or put another in its place.",
  }),
  file(`${SUBSCRIPTION}cur/<claim>.json`, "sender", MESSAGE_MODE, "bus", {
    purpose: "A message being handled: the sender's inode, moved here.",
    why: "Renaming a file changes neither its owner nor its mode.",
  }),
  file(`${SUBSCRIPTION}cur/<message>.json.progress`, "<user>", PRIVATE_FILE_MODE, "bus", {
    purpose: "Which messages of a file with several are begun, and which are settled.",
    why: "Nobody else's concern.",
  }),
  directory(`${SUBSCRIPTION}retry/`, "<user>", PRIVATE_MODE, "bus", {
    purpose: "Messages that wait for another attempt.",
    why: "As with claimed ones, their fate is the subscriber's alone.",
  }),
  file(`${SUBSCRIPTION}retry/<due>.json`, "sender", MESSAGE_MODE, "bus", {
    purpose: "A message that waits: the sender's inode, moved here.",
    why: "Renaming a file changes neither its owner nor its mode.",
  }),
  file(`${SUBSCRIPTION}retry/<due>.own`, "<user>", PRIVATE_FILE_MODE, "bus", {
    purpose: "One message of a file with several, with the sender that was verified when it was read.",
    why: "It vouches for a sender, so nobody but the subscriber may have written it.",
  }),
  directory(`${SUBSCRIPTION}dead/`, "<user>", PRIVATE_MODE, "bus", {
    purpose: "Dead letters.",
    why: "What was refused may be hostile, and what was given up may be confidential.",
  }),
  file(`${SUBSCRIPTION}dead/<message>.json`, "<user>", PRIVATE_FILE_MODE, "bus", {
    purpose: "A dead letter: what was read of the message.",
    why: "A copy, because the sender could still write to the original.",
  }),
  file(`${SUBSCRIPTION}dead/<message>.reason.json`, "<user>", PRIVATE_FILE_MODE, "bus", {
    purpose: "Why it is dead.",
    why: "It names the verified sender, so nobody but the subscriber may have written it.",
  }),
  file(`${SUBSCRIPTION}dead/<message>.link`, "sender", MESSAGE_MODE, "bus", {
    purpose: "The sender's inode of a dead letter.",
    why: "Its link keeps a receipt from counting a dead letter as acknowledged.",
  }),
  file(`${SUBSCRIPTION}seen`, "<user>", PRIVATE_FILE_MODE, "bus", {
    purpose: "The ids that a durable subscription has settled.",
    why: "Nobody else's concern.",
  }),
  directory(`${SUBSCRIPTION}consumer.lock/`, "<user>", PRIVATE_MODE, "bus", {
    purpose: "Held by the one consumer of a durable subscription.",
    why: "A file that somebody else put in would keep the lock from being released.",
  }),
  file(`${SUBSCRIPTION}consumer.lock/<token>`, "<user>", PRIVATE_FILE_MODE, "bus", {
    purpose: "Whose the lock is: an empty file, named by the token of a process in `run/<user>/`.",
    why: "A lock with the name of a dead process in it is free.",
  }),
  file(`${SUBSCRIPTION}consumer.json`, "<user>", READABLE_FILE_MODE, "bus", {
    purpose: "Which process the consumer is.",
    why: "Tells every member whether somebody consumes.",
  }),

  directory("queues/", "root", MEMBERS_MODE, "init", {
    purpose: "One directory for each queue: work shared between accounts.",
    why: "Members add queues; the sticky bit lets only its maker remove one.",
  }),
  directory(QUEUE, "<user>", QUEUE_MODE, "bus", {
    purpose: "One queue, made by whoever needed it first.",
    why: "Any member takes, settles and gives up work, also when it belongs to others: a queue is for members who trust each other.",
  }),
  file(`${QUEUE}subscription.json`, "<user>", READABLE_FILE_MODE, "bus", {
    purpose: "Patterns and options.",
    why: "Publishers match topics against it.",
  }),
  ...["new", "cur", "retry", "dead"].map((part) =>
    directory(`${QUEUE}${part}/`, "<user>", QUEUE_MODE, "bus", {
      purpose: `As ${part}/ of a subscription.`,
      why: "Not sticky, because any member moves any message on.",
    }),
  ),
  ...["new/<message>.json", "cur/<claim>.json", "retry/<due>.json"].map((name) =>
    file(`${QUEUE}${name}`, "sender", MESSAGE_MODE, "bus", {
      purpose: "A message; one to a file.",
      why: "Its owner is still the proof of who sent it; any member may remove it, but none can alter it.",
    }),
  ),
  file(`${QUEUE}dead/<message>.json`, "sender", READABLE_FILE_MODE, "bus", {
    purpose: "A dead letter; its owner is the member who gave it up.",
    why: "Any member looks after a queue's dead letters.",
  }),
  file(`${QUEUE}dead/<message>.reason.json`, "sender", READABLE_FILE_MODE, "bus", {
    purpose: "Why it is dead; its owner is the member who gave it up.",
    why: "Any member looks after a queue's dead letters.",
  }),

  directory("outbox/", "root", MEMBERS_MODE, "init", {
    purpose: "Where senders write before they publish.",
    why: "Members add their own; the sticky bit lets nobody rename or remove another's.",
  }),
  directory("outbox/<user>/", "<user>", OUTBOX_MODE, "bus", {
    purpose: "One sender's drafts, on the filesystem of the drop boxes so that they can be linked into them.",
    why: "A draft is nobody's business; setgid gives it the group that will read it as a message.",
  }),
  file("outbox/<user>/<draft>", "<user>", MESSAGE_MODE, "bus", {
    purpose: "A message being written, a pipe being made, or the link that a receipt keeps.",
    why: "The same inode becomes the message, or the pipe; nobody else can open it before it has its mode.",
  }),

  file("outbox/<user>/tally", "<user>", MESSAGE_MODE, "bus", {
    purpose: "The empty file whose links are counted in tallies.",
    why: "As all that is linked, it needs the spool's group.",
  }),

  directory("run/", "root", MEMBERS_MODE, "init", {
    purpose: "Which processes use the spool, and their sockets.",
    why: "Members add their own; the sticky bit lets nobody rename or remove another's.",
  }),
  directory("run/<user>/", "<user>", READABLE_MODE, "bus", {
    purpose: "One account's processes and sockets.",
    why: "Others find a socket there and cannot put another in its place.",
  }),
  file("run/<user>/<token>.json", "<user>", READABLE_FILE_MODE, "bus", {
    purpose: "One process that has the bus open.",
    why: "Tells every member whether it still runs.",
  }),
  file("run/<user>/<token>.channels.json", "<user>", READABLE_FILE_MODE, "bus", {
    purpose: "The open pipes and sockets of one process.",
    why: "Tells every member who is connected; nothing goes by it.",
  }),
  directory("run/<user>/pipes/", "<user>", READABLE_MODE, "bus", {
    purpose: "Whether a process of this account receives pipes.",
    why: "Senders see whether there is any point in waiting.",
  }),
  file("run/<user>/pipes/consumer.json", "<user>", READABLE_FILE_MODE, "bus", {
    purpose: "Which process receives pipes.",
    why: "Senders look whether it lives.",
  }),
  directory("run/<user>/pipes/consumer.lock/", "<user>", PRIVATE_MODE, "bus", {
    purpose: "Held by the one process that receives pipes.",
    why: "Two readers of one pipe would each get a part of it.",
  }),
  file("run/<user>/pipes/consumer.lock/<token>", "<user>", PRIVATE_FILE_MODE, "bus", {
    purpose: "Whose the lock is: an empty file, named by the token of a process in `run/<user>/`.",
    why: "A lock with the name of a dead process in it is free.",
  }),
  directory("run/<user>/sweep.lock/", "<user>", PRIVATE_MODE, "bus", {
    purpose: "Held by the process of an account that clears away what its dead ones left.",
    why: "A file that somebody else put in would keep the lock from being released.",
  }),
  directory("run/<user>/<token>.lock/", "<user>", PRIVATE_MODE, "bus", {
    purpose: "Its heartbeat.",
    why: "Its age can be seen from outside; a file that somebody else put in would keep it from being removed.",
  }),
  file("run/<user>/sockets.lock", "<user>", PRIVATE_FILE_MODE, "bus", {
    purpose: "Held (flock(2)) for the moment in which a socket takes the place of one that was left behind.",
    why: "Whoever can open it can hold it.",
  }),
  directory("run/<user>/.<token>/", "<user>", PRIVATE_MODE, "bus", {
    purpose: "Where a socket is made, for a moment, before it is renamed into place.",
    why: "Nobody reaches the socket before it has its mode.",
  }),
  socket("run/<user>/<name>.sock", "<user>", SOCKET_MODE, "bus", {
    purpose: "A socket that this account's process listens on.",
    why: "To connect needs write permission.",
  }),

  directory("pipes/", "root", MEMBERS_MODE, "init", {
    purpose: "Pipes to agents.",
    why: "Members add their own; the sticky bit lets nobody rename or remove another's.",
  }),
  directory("pipes/<user>/", "<user>", INBOX_MODE, "bus", {
    purpose: "The drop box of pipes to one agent.",
    why: "Members put pipes in but cannot list it, and the 130 random bits of a name are not to be guessed: a pipe stays between two. In the place of an account that is barred from pipes root has one of mode 0700.",
  }),
  fifo("pipes/<user>/<random>.pipe", "sender", MESSAGE_MODE, "bus", {
    purpose: "A pipe that its sender made, until its receiver has it open.",
    why: "Only its owner writes to it, so what comes out is from its owner; the receiver reads it as a member of the group.",
  }),
]);

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  "<user>": "[A-Za-z0-9_][A-Za-z0-9._-]{0,63}",
  "<name>": "[A-Za-z0-9_-]{1,64}",
  "<token>": "[A-Za-z0-9_-]{1,58}",
};
let patterns: readonly (readonly [RegExp, PathRule])[] | undefined;

/** The rule for a directory, given relative to the spool with "/" at its end; undefined when nothing like it belongs there. */
export function ruleForDirectory(path: string): PathRule | undefined {
  patterns ??= PATHS.filter((rule) => rule.type === "directory").map((rule) => [patternOf(rule.path), rule]);
  return patterns.find(([pattern]) => pattern.test(path))?.[1];
}

function patternOf(path: string): RegExp {
  const parts = path.split(/(<[a-z]+>)/).map((part) => PLACEHOLDERS[part] ?? part.replaceAll(".", "\\."));
  return new RegExp(`^${parts.join("")}$`);
}

type Text = Pick<PathRule, "purpose" | "why">;
type Owner = PathRule["owner"];
type Maker = PathRule["madeBy"];

function directory(path: string, owner: Owner, mode: number, madeBy: Maker, text: Text): PathRule {
  return { path, type: "directory", owner, mode, madeBy, ...text };
}

function file(path: string, owner: Owner, mode: number, madeBy: Maker, text: Text): PathRule {
  return { path, type: "file", owner, mode, madeBy, ...text };
}

function socket(path: string, owner: Owner, mode: number, madeBy: Maker, text: Text): PathRule {
  return { path, type: "socket", owner, mode, madeBy, ...text };
}

function fifo(path: string, owner: Owner, mode: number, madeBy: Maker, text: Text): PathRule {
  return { path, type: "fifo", owner, mode, madeBy, ...text };
}
