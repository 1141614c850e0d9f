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

/** What cannot be tried, and is a warning or an error for that, where somebody cannot send; and where nobody can use the spool. */
const UNTRIED = ["senders-unforgeable", "messages-untouchable"];
const ALL_UNTRIED = [...UNTRIED, "spools-closed-to-outsiders", "channels-as-written"];
/** sudo reads no file that others may write to. */
const plantRule = (file: string, rule: string) => `echo '${rule}' > ${file}; chmod 0440 ${file}`;

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
      also: ["bus-works", ...ALL_UNTRIED],
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
os.setxattr("/home/alice", "system.posix_acl_access", acl)'`,
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
      title: "somebody has written a relay into spool.json by hand",
      script: `sed -i 's/"relays": \\[\\]/"relays": ["codebot"]/' /var/spool/agentbus/agents/spool.json; grep -q '"codebot"' /var/spool/agentbus/agents/spool.json`,
      finds: { check: "senders-unforgeable", agent: "codebot" },
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
        "chmod 0755 /home/alice; mkdir /home/alice/project; echo KEY=1 > /home/alice/project/.env; mkfifo -m 0666 /home/alice/.netrc; chown -R alice:alice /home/alice/project",
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
      title: "a program that everybody may start signals whomever it is told to",
      script:
        "cp /bin/kill /usr/local/sbin/stop; setcap cap_kill+ep /usr/local/sbin/stop; sudo -u codebot /usr/local/sbin/stop -0 1",
      finds: { check: "processes-untouchable", agent: "codebot" },
    },
    {
      title: "a program that everybody may start looks into all processes",
      script: `
        cp /bin/ls /usr/local/sbin/peek; setcap cap_sys_ptrace+ep /usr/local/sbin/peek
        sudo -u auditor /usr/local/sbin/peek -l /proc/1/cwd | grep -q -e '->'`,
      finds: { check: "processes-opaque", agent: "auditor" },
    },
    {
      title: "a program that everybody may start reads all files",
      script: `
        cp /bin/cat /usr/local/sbin/show; setcap cap_dac_read_search=ep /usr/local/sbin/show
        sudo -u reviewer /usr/local/sbin/show /etc/shadow | grep -q root`,
      finds: { check: "roots-hands-out-of-reach", agent: "reviewer" },
    },
    {
      title: "a shell where everybody finds programs is setuid",
      script: "cp /bin/bash /usr/local/sbin/bash5; chmod 4755 /usr/local/sbin/bash5",
      finds: { check: "setuid-files-absent" },
    },
    {
      title: "somebody else is in the own group of an agent",
      script: "usermod -aG codebot reviewer",
      finds: { check: "own-group-alone", agent: "codebot" },
      also: ["groups-as-written"],
    },
    {
      title: "a human is no longer in the group of the spool",
      script: "gpasswd -d alice agents",
      finds: { check: "bus-works", agent: "alice" },
      also: UNTRIED,
    },
    {
      title: "a start file without the block of setup",
      script: "rm /home/reviewer/.zshenv",
      finds: { check: "nothing-to-apply", severity: "warning" },
    },
  ],
  [
    {
      title: "a file of a human is readable, whose home can be entered though not listed",
      script: "chmod 0711 /home/alice; echo KEY=1 > /home/alice/.env; chmod 0644 /home/alice/.env",
      finds: { check: "human-secrets-closed", agent: "codebot" },
      also: ["human-home-closed"],
    },
    {
      title: "so is how her shell starts",
      script: "echo > /home/alice/.zshrc; chmod 0644 /home/alice/.zshrc",
      finds: { check: "human-dotfiles-closed", agent: "auditor", severity: "warning" },
    },
    {
      title: "the home of an agent can be entered",
      script: "chmod 0711 /home/auditor",
      finds: { check: "agent-homes-closed", agent: "reviewer" },
      also: ["home-as-written", "agent-secrets-closed"],
    },
    {
      title: "a rule lets an agent become a human",
      script: plantRule("/etc/sudoers.d/99-local", "codebot ALL=(alice) NOPASSWD: /bin/sh"),
      finds: { check: "sudo-nothing-more", agent: "codebot" },
      also: ["sudo-as-written"],
    },
    {
      title: "a rule is planted for a group that the file gives",
      script: plantRule("/etc/sudoers.d/98-local", "%ops ALL=(ALL) NOPASSWD: /usr/bin/"),
      finds: { check: "sudo-nothing-more", agent: "auditor" },
      also: ["sudo-as-written"],
    },
    {
      title: "an agent can close itself in where it sends from",
      script: "chmod 0500 /var/spool/agentbus/agents/outbox/codebot",
      finds: { check: "bus-works", agent: "codebot" },
      also: ["spool-as-made", "spools-closed-to-outsiders", ...UNTRIED],
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
      script: "chmod 0777 /home/alice",
      finds: { check: "human-files-unwritable", agent: "auditor" },
      also: ["human-home-closed", "human-dotfiles-closed", "human-secrets-closed"],
    },
    {
      title: "somebody whom the file does not name is in the group of a spool",
      script: "usermod -aG ops games",
      finds: { check: "spool-groups-as-written", agent: "games" },
    },
    {
      title: "a file that sudoers includes has a rule of aliases",
      script: `
        ${plantRule("/etc/more-rules", "Cmnd_Alias TOOLS = /usr/bin/find, /bin/sh\nUser_Alias BOTS = reviewer\nBOTS ALL=(ALL) NOPASSWD: TOOLS")}
        ${plantRule("/etc/sudoers.d/97-include", "#include /etc/more-rules")}`,
      finds: { check: "sudo-as-written", agent: "reviewer" },
      also: ["sudo-nothing-more"],
    },
    {
      title: "an agent may edit a file of root's, with a human",
      script: plantRule("/etc/sudoers.d/96-local", "alice, codebot ALL=(root) NOPASSWD: sudoedit /etc/hosts"),
      finds: { check: "sudo-as-written", agent: "codebot" },
    },
    {
      title: "a rule is for an agent by its uid",
      script: plantRule("/etc/sudoers.d/95-local", "#$(id -u auditor) ALL=(root) NOPASSWD: /usr/bin/id").replaceAll(
        "'",
        '"',
      ),
      finds: { check: "sudo-nothing-more", agent: "auditor" },
      also: ["sudo-as-written"],
    },
    {
      title: "an agent has the uid of another one in user namespaces",
      script: 'echo "codebot:$(id -u reviewer):1" >> /etc/subuid',
      finds: { check: "accounts-separate", agent: "codebot" },
    },
    {
      title: "spool.json cannot be read any more",
      script: "echo '{' > /var/spool/agentbus/ops/spool.json",
      finds: { check: "bus-works", agent: "auditor" },
      also: ["spool-as-made"],
    },
    {
      title: "spool.json belongs to a member",
      script: "chown alice /var/spool/agentbus/agents/spool.json; chmod 0660 /var/spool/agentbus/agents/spool.json",
      finds: { check: "bus-works", agent: "codebot" },
      also: ["spool-as-made", ...ALL_UNTRIED],
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
