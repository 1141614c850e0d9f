export type ChannelKind = "sockets" | "pipes";
export const CHANNEL_KINDS: readonly ChannelKind[] = ["sockets", "pipes"];

/** Accounts that may use no channels of a kind in a spool; `spool.json`. */
export type Barred = Readonly<Partial<Record<ChannelKind, readonly string[]>>>;

/** One account and one kind of channel. */
export interface Bar {
  readonly user: string;
  readonly channel: ChannelKind;
}

/** What is barred, with some more and some no longer. undefined: nothing is. */
export function changeBarred(
  before: Barred | undefined,
  bar: readonly Bar[],
  unbar: readonly Bar[],
): Barred | undefined {
  const lists = CHANNEL_KINDS.map((kind) => {
    const of = (bars: readonly Bar[]) => bars.flatMap(({ channel, user }) => (channel === kind ? [user] : []));
    const freed = new Set(of(unbar));
    const users = new Set([...(before?.[kind] ?? []).filter((user) => !freed.has(user)), ...of(bar)]);
    return [kind, [...users].sort()] as const;
  });
  const filled = lists.filter(([, users]) => users.length > 0);
  return filled.length === 0 ? undefined : Object.fromEntries(filled);
}
