/** What knows its place among `Slots`. */
export interface Slotted {
  slot: number;
}

/**
 * A set of objects, each in one such set at a time. To come and to go costs next to nothing, since every message does; in a `Set` each
 * would need a hash first.
 */
export class Slots<Member extends Slotted> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  add(member: Member): void {
    member.slot = this.#members.push(member) - 1;
  }

  /** Does nothing when it is not in here. */
  delete(member: Member): void {
    if (this.#members[member.slot] !== member) return;
    const last = this.#members.pop() as Member;
    if (last === member) return;
    this.#members[member.slot] = last;
    last.slot = member.slot;
  }

  /** Those that are in here now, in any order. */
  members(): Member[] {
    return [...this.#members];
  }

  some(predicate: (member: Member) => boolean): boolean {
    return this.#members.some(predicate);
  }
}
