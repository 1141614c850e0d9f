/** Names that an agent or a group of ours can have: what shadow-utils, busybox and macOS all take, and no shell minds. */
const NAME = /^[a-z][a-z0-9-]{0,30}$/;

/** Accounts and groups of systems, some of which appear only when a package is installed. */
const SYSTEM_NAMES: ReadonlySet<string> = new Set(
  `root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody nogroup operator
  adm tty disk kmem dialout fax voice cdrom floppy tape sudo wheel audio dip src shadow utmp video sasl plugdev staff users
  admin administrator system systemd systemd-network systemd-resolve systemd-timesync systemd-journal systemd-coredump
  messagebus dbus polkitd avahi colord cups lpadmin saned pulse rtkit sshd ssh ntp chrony tss uuidd tcpdump
  postfix postdrop exim dovecot mysql postgres redis mosquitto nats nginx apache httpd http ftp git docker podman lxd libvirt kvm
  render input sgx netdev bluetooth scanner crontab wireshark guest everyone owner procmod procview com-apple-access-ssh
  halt shutdown agentbus`.split(/\s+/),
);

/** Why a name cannot be given to an agent or a group; undefined when it can. */
export function objectionTo(name: string): string | undefined {
  if (!NAME.test(name))
    return "it is not made of small letters, digits and hyphens, beginning with a letter, at most 31 in all";
  if (name.endsWith("-")) return "it ends with a hyphen";
  if (/^uid[0-9]+$/.test(name)) return "on the bus this stands for an account without a name";
  if (SYSTEM_NAMES.has(name)) return "the system uses it";
  return undefined;
}
