import { parseTree, printParseErrorCode, type Node, type ParseError } from "jsonc-parser";
import { complain, type Complaint } from "./complaint.js";

const MAX_DEPTH = 12;

/**
 * Strict JSON, with positions. A name that is given twice is refused: JSON lets the last one win, which is not what somebody
 * sees who reads the first.
 */
export function parseStrictly(text: string): { root: Node | undefined; complaints: Complaint[] } {
  if (isTooDeep(text)) {
    const complaint = {
      at: [],
      offset: 0,
      problem: `more than ${MAX_DEPTH} brackets deep`,
      remedy: "agentbus setup new",
    };
    return { root: undefined, complaints: [complaint] };
  }
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false });
  const [first] = errors;
  if (first !== undefined) return { root: undefined, complaints: [syntaxComplaint(first)] };
  if (root === undefined) return { root, complaints: [syntaxComplaint({ error: 4, offset: 0, length: 0 })] };
  return { root, complaints: repeatedNames(root, root, []) };
}

/** Before the parser, which is recursive. Brackets within strings count too: nothing of ours has so many. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === "{" || character === "[") depth++;
    if (character === "}" || character === "]") depth--;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

const SYNTAX: Readonly<Record<string, readonly [string, string]>> = {
  InvalidCommentToken: ["a comment, which JSON does not have", "remove the comment"],
  PropertyNameExpected: ["a name in double quotes is missing here", 'write "name": value, and no comma after the last'],
  ValueExpected: ["a value is missing here", "write a value, and no comma after the last"],
  ColonExpected: ["a colon is missing here", 'write "name": value'],
  CommaExpected: ["a comma is missing here", "put a comma between the two"],
  CloseBraceExpected: ["a closing brace is missing here", "write }"],
  CloseBracketExpected: ["a closing bracket is missing here", "write ]"],
  EndOfFileExpected: ["something follows the end of the JSON", "remove it"],
};

function syntaxComplaint({ error, offset }: ParseError): Complaint {
  const code = printParseErrorCode(error);
  const [problem, remedy] = SYNTAX[code] ?? [
    `this is no JSON (${code})`,
    "correct it, or start anew: agentbus setup new",
  ];
  return { at: [], offset, problem, remedy };
}

function repeatedNames(root: Node, node: Node, at: readonly (string | number)[]): Complaint[] {
  if (node.type === "array")
    return (node.children ?? []).flatMap((child, index) => repeatedNames(root, child, [...at, index]));
  if (node.type !== "object") return [];
  const seen = new Set<string>();
  return (node.children ?? []).flatMap(({ children: [key, value] = [] }) => {
    const name = String(key?.value);
    if (key !== undefined && seen.has(name)) {
      const complaint = complain(
        root,
        [...at, name],
        `${JSON.stringify(name)} is there twice`,
        "remove one of the two",
      );
      return [{ ...complaint, offset: key.offset }];
    }
    seen.add(name);
    return value === undefined ? [] : repeatedNames(root, value, [...at, name]);
  });
}
