import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentsMachine, NEEDS_AGENTS, findingsIn, SETUP } from "./agents-machine.js";

interface Received {
  readonly sender: { readonly user: string };
  readonly envelope: { readonly data: unknown };
}

const GROUP = "agentbus --group agents";

test(
  "agents are made, talk, keep an outsider out, are repaired, and leave nothing",
  { skip: NEEDS_AGENTS },
  async (context) => {
    const machine = await AgentsMachine.make(context);
    const before = machine.sandbox.snapshot();
    machine.apply();

    await context.test("two agents talk over the spool of their group, and each knows who the other is", () => {
      const subscription = "/var/spool/agentbus/agents/subscriptions/reviewer~ci";
      machine.sh(`
        timeout 20 sudo -u reviewer env PATH="$PATH" ${GROUP} --json subscribe build.done --durable ci --count 1 > /tmp/received &
        until test -d ${subscription}; do sleep 0.1; done
        sudo -u codebot env PATH="$PATH" ${GROUP} publish build.done '{"commit":"4f2a"}'
        wait
      `);
      const message = JSON.parse(machine.sh("cat /tmp/received")) as Received;
      assert.equal(message.sender.user, "codebot");
      assert.deepEqual(message.envelope.data, { commit: "4f2a" });
    });

    await context.test("a human writes to an agent, which has not run yet", () => {
      // What Node has compiled for her would stay in her home.
      const alice = 'sudo -u alice env PATH="$PATH" NODE_DISABLE_COMPILE_CACHE=1';
      machine.sh(`${alice} ${GROUP} publish @codebot '"please review"'`);
      const read = `sudo -u codebot env PATH="$PATH" ${GROUP} --json subscribe @codebot --count 1`;
      assert.match(machine.sh(`timeout 20 ${read}`), /"source":"\/agents\/alice"/);
    });

    await context.test("an agent outside of the group can neither read nor send there", () => {
      const attempt = `sudo -u auditor env PATH="$PATH" ${GROUP}`;
      const { status, stderr } = machine.run(`${attempt} publish build.done 1`);
      assert.equal(status, 1);
      assert.match(stderr, /ERR_ACCESS|auditor is not in group agents/);
      assert.equal(machine.run("sudo -u auditor ls /var/spool/agentbus/agents").status, 2);
    });

    await context.test("another apply changes nothing", () => {
      const applied = machine.sandbox.snapshot();
      assert.match(machine.apply(), /nothing to change/);
      assert.equal(machine.sandbox.snapshot(), applied);
    });

    await context.test("what has drifted is repaired by apply alone", () => {
      const sudoers = () =>
        machine.sh("stat -c '%a %U %G' /etc/sudoers.d/60-agentbus-codebot; cat /etc/sudoers.d/60-agentbus-codebot");
      const rule = sudoers();
      machine.sh(`
        chmod 0755 /home/codebot; chmod 0644 /home/reviewer/.config/agentbus/env
        gpasswd -d codebot agents; groupadd -f docker; usermod -aG docker reviewer
        chmod 2770 /var/spool/agentbus/agents; chmod 2755 /var/spool/agentbus/ops
        rm /etc/sudoers.d/60-agentbus-codebot; sed -i 's/umask 027/umask 022/' /home/auditor/.profile /home/auditor/.bashrc
      `);
      const found = new Set(findingsIn(machine.verify()).map(({ check }) => check));
      for (const check of [
        "home-as-written",
        "environment-file-closed",
        "groups-as-written",
        "spool-as-made",
        "login-umask",
      ])
        assert.ok(found.has(check), `${check} is not among ${[...found].join(", ")}`);
      machine.apply();
      assert.deepEqual(machine.errors(), []);
      assert.equal(sudoers(), rule);
      machine.sh("groupdel docker 2>/dev/null || true");
    });

    await context.test("channels that the file denies an agent are refused, and used once it allows them", () => {
      const box = "/var/spool/agentbus/agents/pipes/reviewer";
      const spool = () =>
        JSON.parse(machine.sh("cat /var/spool/agentbus/agents/spool.json")) as { barred?: Record<string, string[]> };
      const send = () =>
        machine.run(
          `timeout 20 sudo -u codebot env PATH="$PATH" ${GROUP} pipe send @reviewer '"hello"' --fallback fail`,
        );
      assert.deepEqual(spool().barred, { sockets: ["reviewer"], pipes: ["reviewer"] });
      assert.match(send().stderr, /ERR_BARRED: reviewer may use no pipes/);
      assert.match(
        machine.run(`sudo -u reviewer env PATH="$PATH" ${GROUP} serve search --exec true`).stderr,
        /ERR_BARRED: reviewer may use no sockets/,
      );
      machine.write({ ...SETUP, agents: { ...SETUP.agents, reviewer: { groups: ["agents"] } } });
      assert.match(machine.apply(), /--unbar reviewer:sockets --unbar reviewer:pipes/);
      assert.equal(spool().barred, undefined);
      assert.equal(machine.sh(`stat -c '%a %U' ${box}`).trim(), "3730 reviewer");
      assert.match(send().stderr, /ERR_NO_PEER/);
      assert.match(machine.apply(), /nothing to change/);
      machine.write(SETUP);
      assert.match(machine.apply(), /--bar reviewer:sockets --bar reviewer:pipes/);
      assert.equal(machine.sh(`stat -c '%a %U' ${box}`).trim(), "700 root");
      assert.deepEqual(machine.errors(), []);
    });

    await context.test(
      "an agent that is removed is barred no longer and no relay, so that another of its name is neither",
      () => {
        machine.sh(
          "agentbus init --group agents --relay reviewer && agentbus setup remove reviewer --yes --home delete",
        );
        assert.doesNotMatch(machine.sh("cat /var/spool/agentbus/agents/spool.json"), /reviewer/);
        machine.apply();
        assert.deepEqual(machine.errors(), []);
      },
    );

    await context.test("nothing is left after removal but the ledger's list of uids that are not given again", () => {
      machine.remove();
      assert.equal(machine.sandbox.snapshot(), before);
      const { retired } = JSON.parse(machine.sh("cat /var/lib/agentbus/setup.json")) as { retired: { name: string }[] };
      const names = [...Object.keys(SETUP.agents), "reviewer"];
      assert.deepEqual(retired.map(({ name }) => name).sort(), names.sort());
    });
  },
);
