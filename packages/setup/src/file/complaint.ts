import { findNodeAtLocation, type Node } from "jsonc-parser";

/** One thing that is wrong with agentbus.json. */
export interface Complaint {
  /** Where: names and indexes from the whole to the value. */
  readonly at: readonly (string | number)[];
  /** Of the character in the text. */
  readonly offset: number;
  readonly problem: string;
  /** What to write instead. */
  readonly remedy: string;
}

/** Complains about a value; about what holds it, where it is missing. */
export function complain(
  root: Node,
  at: readonly (string | number)[],
  problem: string,
  remedy: string,
  about: "value" | "name" = "value",
): Complaint {
  const node = nodeAt(root, at);
  // A name and its value are the children of a property.
  const name = node.parent?.type === "property" ? node.parent.children?.[0] : undefined;
  return { at, offset: about === "name" && name !== undefined ? name.offset : node.offset, problem, remedy };
}

function nodeAt(root: Node, at: readonly (string | number)[]): Node {
  for (let length = at.length; length > 0; length--) {
    const node = findNodeAtLocation(root, at.slice(0, length));
    if (node !== undefined) return node;
  }
  return root;
}

/** From 1, as editors count. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** `agents.codebot.sudo[0].command`; names that are no words in quotes. */
export function pointerText(at: readonly (string | number)[]): string {
  return at
    .map((step) => {
      if (typeof step === "number") return `[${step}]`;
      return /^[A-Za-z_$][A-Za-z0-9_$-]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
    })
    .join("")
    .replace(/^\./, "");
}
