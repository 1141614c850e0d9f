import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCapabilities } from "#setup/verify/capable-programs.js";

test("capabilities are read as getcap of any version prints them", () => {
  const listing = `/usr/bin/ping cap_net_raw=ep
/usr/bin/old = cap_kill,cap_sys_ptrace+eip
/opt/a b/tool cap_setuid=p cap_chown=i
/usr/bin/everything =ep
/usr/bin/nothing cap_kill=i
/usr/bin/version cap_dac_override=ep [rootid=1000]
`;
  assert.deepEqual(parseCapabilities(listing), [
    { path: "/usr/bin/ping", capabilities: ["cap_net_raw"] },
    { path: "/usr/bin/old", capabilities: ["cap_kill", "cap_sys_ptrace"] },
    { path: "/opt/a b/tool", capabilities: ["cap_setuid"] },
    { path: "/usr/bin/everything", capabilities: ["all"] },
  ]);
});
