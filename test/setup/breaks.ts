/** One way in which the isolation is broken, and what `verify` has to say to it. */
export interface Break {
  /** What was done. */
  readonly title: string;
  readonly script: string;
  /** The check that finds it, and of whom. */
  readonly finds: { readonly check: string; readonly agent?: string; readonly severity?: "error" | "warning" };
  /** Further checks whose findings follow from it. */
  readonly also?: readonly string[];
}

const INBOX = "/var/spool/agentbus/agents/subscriptions/codebot~inbox";

/** Those of a round do not hide each other. */
export const ROUNDS: readonly (readonly Break[])[] = [
  [
    {
      title: "the home of an agent is opened",
      script: "chmod 0755 /home/codebot",
      finds: { check: "home-as-written", agent: "codebot" },
      also: ["agent-homes-closed"],
    },
    {
      title: "an agent is put into the group docker",
      script: "groupadd -f docker; usermod -aG docker codebot",
      finds: { check: "groups-as-written", agent: "codebot" },
    },
    {
      title: "a line for an agent is planted in sudoers",
      script:
        "echo 'reviewer ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/99-local; chmod 0440 /etc/sudoers.d/99-local",
      finds: { check: "sudo-as-written", agent: "reviewer" },
      also: ["sudo-nothing-more"],
    },
    {
      title: "the umask of an agent is loosened after the block of setup",
      script: "echo 'umask 002' >> /home/codebot/.profile",
      finds: { check: "login-umask", agent: "codebot" },
    },
    {
      title: "an environment file is readable for all",
      script: "chmod 0644 /home/reviewer/.config/agentbus/env",
      finds: { check: "environment-file-closed", agent: "reviewer" },
    },
    {
      title: "the spool loses its modes",
      script: "chmod 2770 /var/spool/agentbus/agents",
      finds: { check: "spool-as-made" },
      also: ["bus-works"],
    },
    {
      title: "another agent's shell is setuid",
      script: "cp /bin/sh /tmp/sh-of-reviewer; chown reviewer /tmp/sh-of-reviewer; chmod 4755 /tmp/sh-of-reviewer",
      finds: { check: "setuid-files-absent", agent: "reviewer" },
    },
    {
      title: "a directory of everybody's PATH is writable for all",
      script: "chmod 0777 /usr/local/sbin",
      finds: { check: "system-unwritable", agent: "auditor" },
      also: ["sudo-commands-unwritable"],
    },
    {
      title: "an account needs no password",
      script: "passwd -d auditor",
      finds: { check: "password-locked", agent: "auditor" },
    },
    {
      title: "an agent has a crontab",
      script: "echo '* * * * * true' > /var/spool/cron/crontabs/reviewer",
      finds: { check: "jobs-of-no-service", agent: "reviewer", severity: "warning" },
    },
  ],
  [
    {
      title: "an inbox is open to everybody in the group",
      script: `chmod 0777 ${INBOX}/new`,
      finds: { check: "inboxes-closed", agent: "reviewer" },
      also: ["spool-as-made"],
    },
    {
      title: "an access list lets one agent into the home of a human",
      script: `python3 -c '
import os, struct
ids = {"user": int(os.popen("id -u codebot").read())}
entries = [(1, 7, -1), (2, 5, ids["user"]), (4, 0, -1), (16, 5, -1), (32, 0, -1)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
os.setxattr("/home/anna", "system.posix_acl_access", acl)'`,
      finds: { check: "human-home-closed", agent: "codebot" },
      also: ["human-dotfiles-closed"],
    },
    {
      title: "spool.json bars nobody from sockets and pipes any more",
      script: `python3 -c '
import json
path = "/var/spool/agentbus/agents/spool.json"
spool = json.load(open(path))
del spool["barred"]
json.dump(spool, open(path, "w"))'`,
      finds: { check: "channels-as-written", agent: "reviewer" },
      also: ["spool-as-made"],
    },
    {
      title: "the spool of another group is opened",
      script: "chmod 2755 /var/spool/agentbus/ops",
      finds: { check: "spools-closed-to-outsiders", agent: "codebot" },
      also: ["spool-as-made"],
    },
    {
      title: "the passwords of the system are readable for all",
      script: "chmod 0644 /etc/shadow",
      finds: { check: "system-secrets-closed", agent: "auditor" },
    },
    {
      title: "root's jobs are writable for all",
      script: "chmod 0777 /etc/cron.d",
      finds: { check: "system-unwritable", agent: "reviewer" },
    },
    {
      title: "the socket of a container daemon is open to all",
      script:
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/run/docker.sock\")'; chmod 0666 /run/docker.sock",
      finds: { check: "roots-hands-out-of-reach", agent: "codebot" },
    },
    {
      title: "a program that an agent runs as root is its own",
      script: "chown codebot /usr/local/sbin/restart-app",
      finds: { check: "sudo-commands-unwritable", agent: "codebot" },
      also: ["system-unwritable", "sudo-as-written"],
    },
    {
      title: "doas knows an agent",
      script: "echo 'permit nopass reviewer as root' > /etc/doas.conf",
      finds: { check: "doas-unknown", agent: "reviewer" },
    },
    {
      title: "the outbox of an agent can be listed",
      script: "chmod 2770 /var/spool/agentbus/agents/outbox/reviewer",
      finds: { check: "inboxes-closed", agent: "codebot" },
      also: ["spool-as-made"],
    },
    {
      title: "somebody has a key to an agent's account",
      script:
        "cd /home/auditor && mkdir .ssh && echo 'ssh-ed25519 AAAA' > .ssh/authorized_keys && chown -R auditor:auditor .ssh",
      finds: { check: "ssh-keys-absent", agent: "auditor", severity: "warning" },
    },
  ],
  [
    {
      title: "the home of a human is open to all, as Debian makes it",
      script:
        "chmod 0755 /home/anna; mkdir /home/anna/project; echo KEY=1 > /home/anna/project/.env; mkfifo -m 0666 /home/anna/.netrc; chown -R anna:anna /home/anna/project",
      finds: { check: "human-home-closed", agent: "auditor", severity: "warning" },
      also: ["human-dotfiles-closed", "human-secrets-closed"],
    },
    {
      title: "subscriptions/ is no longer sticky, so members may move each other's",
      script: "chmod 2770 /var/spool/agentbus/agents/subscriptions",
      finds: { check: "messages-untouchable", agent: "codebot" },
      also: ["spool-as-made"],
    },
    {
      title: "the drop box of pipes of an agent that is barred from them is its own",
      script:
        "chown reviewer /var/spool/agentbus/agents/pipes/reviewer; chmod 3730 /var/spool/agentbus/agents/pipes/reviewer",
      finds: { check: "channels-as-written", agent: "reviewer" },
      also: ["spool-as-made"],
    },
    {
      title: "a sudo rule is planted for a group of the agent",
      script:
        "groupadd -f wheelers; usermod -aG wheelers auditor; echo '%wheelers ALL=(ALL) NOPASSWD: ALL' >> /etc/sudoers",
      finds: { check: "sudo-as-written", agent: "auditor" },
      also: ["sudo-nothing-more", "groups-as-written"],
    },
    {
      title: "an agent may write to root's jobs by a group of the system",
      script: "groupadd -rf jobs; chgrp jobs /etc/cron.daily; chmod 2775 /etc/cron.daily; usermod -aG jobs reviewer",
      finds: { check: "system-unwritable", agent: "reviewer" },
      also: ["groups-as-written"],
    },
    {
      title: "the PATH of an agent begins with a directory of everybody's",
      script: "mkdir -m 0777 -p /tmp/tools; echo 'PATH=/tmp/tools:$PATH' >> /home/codebot/.profile",
      finds: { check: "login-path-closed", agent: "codebot" },
    },
    {
      title: "an agent has a start file that goes before the one of setup",
      script: "echo 'umask 000' > /home/reviewer/.bash_profile; chown reviewer:reviewer /home/reviewer/.bash_profile",
      finds: { check: "login-umask", agent: "reviewer" },
    },
    {
      title: "a program of everybody's PATH is a link to one of an agent",
      script:
        "cp /bin/true /home/auditor/tool; chown auditor /home/auditor/tool; ln -s /home/auditor/tool /usr/local/sbin/tool",
      finds: { check: "system-unwritable", agent: "auditor" },
    },
    {
      title: "a socket in /tmp is open to all",
      script:
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/tmp/tool.sock\")'; chmod 0777 /tmp/tool.sock; chown reviewer /tmp/tool.sock",
      finds: { check: "sockets-in-the-spool-only", agent: "codebot", severity: "warning" },
    },
    {
      title: "an environment file is root's, as an editor that root starts leaves it",
      script: "chown root /home/codebot/.config/agentbus/env",
      finds: { check: "environment-file-closed", agent: "codebot" },
    },
    {
      title: "somebody else is in the own group of an agent",
      script: "usermod -aG codebot reviewer",
      finds: { check: "own-group-alone", agent: "codebot" },
      also: ["groups-as-written"],
    },
  ],
  [
    {
      title: "the keys of an agent are open to all, and so is all that leads there",
      script: "cd /home/reviewer && chmod 0755 . .config .config/agentbus && chmod 0644 .config/agentbus/env",
      finds: { check: "agent-secrets-closed", agent: "codebot" },
      also: ["home-as-written", "environment-file-closed", "agent-homes-closed"],
    },
    {
      title: "the home of a human is writable for all",
      script: "chmod 0777 /home/anna",
      finds: { check: "human-files-unwritable", agent: "auditor" },
      also: ["human-home-closed", "human-dotfiles-closed", "human-secrets-closed"],
    },
    {
      title: "somebody whom the file does not name is in the group of a spool",
      script: "usermod -aG ops games",
      finds: { check: "spool-groups-as-written", agent: "games" },
    },
  ],
  [
    {
      title: "an agent is root",
      script: "usermod -o -u 0 auditor",
      finds: { check: "accounts-separate", agent: "auditor" },
    },
    {
      title: "an agent has the uid of another one",
      script: 'usermod -o -u "$(id -u codebot)" reviewer',
      finds: { check: "accounts-separate", agent: "reviewer" },
      also: ["*"],
    },
  ],
];
