import assert from "node:assert/strict";
import { test } from "node:test";
import { isValid } from "ulid";
import { isUlid, NameSource, ulidTimeMs } from "#core/message-name.js";

const NOW_MS = Date.parse("2026-01-31T12:59:07.004Z");
/** As many as share the random part. */
const A_STRETCH = 1_024;

test("ids of one publisher sort as they were made, and name their millisecond, whatever the clock does", () => {
  const names = new NameSource();
  let last = "";
  let nowMs = NOW_MS;
  let latestMs = 0;
  // Some thousand in a millisecond, one in each of some thousand, and a clock that is set back every now and then.
  for (let made = 0; made < 20_000; made++) {
    if (made > 5_000 || made % 2_500 === 0) nowMs++;
    if (made % 3_000 === 0) nowMs -= 50;
    latestMs = Math.max(latestMs, nowMs);
    const id = names.ulid(nowMs);
    assert.ok(id > last, `${id} after ${last}`);
    assert.equal(ulidTimeMs(id), latestMs);
    assert.ok(isUlid(id) && isValid(id), id);
    last = id;
  }
});

test("two publishers that start in the same millisecond make no id twice", () => {
  const [one, other] = [new NameSource(), new NameSource()];
  const ids = new Set<string>();
  for (let made = 0; made < 2 * A_STRETCH; made++) ids.add(one.ulid(NOW_MS)).add(other.ulid(NOW_MS));
  assert.equal(ids.size, 4 * A_STRETCH);
});

test("a ULID has 26 characters of Crockford's base 32, of which the first is at most 7", () => {
  const valid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  assert.ok(isUlid(valid) && isUlid("7".repeat(26)) && isUlid("Z".repeat(26).replace("Z", "0")));
  for (const other of ["I", "L", "O", "U", "a", "z", "-", "/", ":", "@", "[", "é", "\0"]) {
    assert.ok(!isUlid(`${valid.slice(0, -1)}${other}`), other);
    assert.ok(!isUlid(`${other}${valid.slice(1)}`), other);
  }
  for (const other of ["", valid.slice(1), `${valid}0`, `8${valid.slice(1)}`]) assert.ok(!isUlid(other), other);
});
