import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILIES } from "#setup/verify/checks.js";
import { isClean, type Verdict, type VerifyFinding } from "#setup/verify/finding.js";
import { renderVerdict, verdictRecords } from "#setup/verify/render.js";

const FINDING: VerifyFinding = {
  severity: "error",
  check: "human-secrets-closed",
  agent: "codebot",
  message: "codebot reads secrets of anna",
  evidence: `opened for reading: ${Array.from({ length: 12 }, (_, n) => `/home/anna/.ssh/id_${n}`).join(", ")}`,
  fix: `chmod go-rwx /home/anna/${"x".repeat(120)}`,
};
const VERDICT: Verdict = {
  agents: ["codebot"],
  findings: [FINDING],
  passed: [{ check: "home-as-written", agent: "codebot" }],
};

test("the table fits a terminal of 80 columns, but for commands, which stay whole", () => {
  const lines = renderVerdict(VERDICT, { columns: 80 });
  const tooLong = lines.filter((line) => line.length > 80);
  assert.deepEqual(
    tooLong.map((line) => line.trim()),
    [`fix    ${FINDING.fix}`],
  );
});

test("the table names every check, with what came of it", () => {
  const text = renderVerdict(VERDICT).join("\n");
  for (const { id } of FAMILIES.flatMap(({ checks }) => checks)) assert.ok(text.includes(`(${id})`), id);
  assert.match(text, /^ERROR +it reads no key/m);
  assert.match(text, /^ok +its home is/m);
  assert.match(text, /^- +nobody else is in its own group/m);
  assert.match(text, /1 agent: 1 passed, 1 errors, 0 warnings\n- is what there was nothing to try on$/);
});

test("nothing that somebody put into a name reaches the terminal as it is", () => {
  const hostile = { ...FINDING, message: "a\u001b[2Jb", evidence: "c\u0007\u202ed", fix: "e\rf" };
  const text = renderVerdict({ ...VERDICT, findings: [hostile] }).join("\n");
  assert.ok(/^[\x20-\x7e\n]*$/.test(text));
});

test("programs get an object for each finding and for each check that passed", () => {
  assert.deepEqual(verdictRecords(VERDICT), [FINDING, { severity: "ok", check: "home-as-written", agent: "codebot" }]);
  assert.equal(isClean(VERDICT), false);
  assert.equal(isClean({ ...VERDICT, findings: [{ ...FINDING, severity: "warning" }] }), false);
  assert.equal(isClean({ ...VERDICT, findings: [] }), true);
});
