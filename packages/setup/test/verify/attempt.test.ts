import assert from "node:assert/strict";
import { test } from "node:test";
import { attempt } from "#setup/verify/probe/attempt.js";
import { untriedOf } from "#setup/verify/trials.js";

const failing = (code: string) =>
  attempt("/x", () => {
    throw Object.assign(new Error(code), { code });
  });

test("only what the kernel refuses counts as refused", () => {
  for (const code of ["EACCES", "EPERM", "EROFS"]) assert.equal(failing(code).outcome, "refused");
  for (const code of ["ENOENT", "ENOTDIR", "ESRCH"]) assert.equal(failing(code).outcome, "absent");
  for (const code of ["EMFILE", "ENFILE", "EIO", "EAGAIN", "ENOMEM"]) assert.equal(failing(code).outcome, "untried");
  assert.equal(attempt("/x", () => 7).outcome, "allowed");
});

test("what could not be tried is told, and is not taken for a refusal", () => {
  const troubles = untriedOf([failing("EACCES"), failing("EMFILE")], "codebot");
  assert.equal(troubles.length, 1);
  assert.match(troubles[0]?.evidence ?? "", /EMFILE/);
});
