import type { Flavour } from "../machine.js";

interface Places {
  /** What only root may read. */
  readonly secrets: readonly string[];
  /** Files and directories of which the system runs or believes what is in them. */
  readonly trusted: readonly string[];
  /** Whose own files are programs, or are read as root. */
  readonly filledDirs: readonly string[];
  /** Sockets and devices that do as root what they are told. */
  readonly rootsHands: readonly string[];
}

const PATH_DIRS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

const CONTAINERS = [
  ...["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"],
  ...[
    "/run/crio/crio.sock",
    "/var/lib/lxd/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/var/lib/incus/unix.socket",
  ],
  ...["/run/incus/unix.socket", "/run/libvirt/libvirt-sock", "/run/systemd/private", "/run/snapd.socket.root"],
];

const LINUX: Places = {
  secrets: [
    ...[
      "/etc/shadow",
      "/etc/shadow-",
      "/etc/gshadow",
      "/etc/gshadow-",
      "/var/backups/shadow.bak",
      "/etc/security/opasswd",
    ],
    ...["/etc/sudoers", "/root", "/root/.ssh", "/etc/krb5.keytab", "/etc/ssl/private", "/etc/crypttab"],
    ...["/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key"],
    ...[
      "/etc/NetworkManager/system-connections",
      "/etc/wireguard",
      "/var/lib/docker",
      "/var/spool/cron/crontabs",
      "/proc/kcore",
    ],
    ...["/var/lib/agentbus/homes"],
  ],
  trusted: [
    ...[
      "/",
      "/etc",
      "/usr",
      "/usr/local",
      "/usr/lib",
      "/lib",
      "/lib64",
      "/usr/libexec",
      "/usr/local/lib",
      "/usr/local/libexec",
      "/opt",
      "/boot",
    ],
    ...[
      "/home",
      "/root",
      "/srv",
      "/var",
      "/var/lib",
      "/var/spool",
      "/var/spool/agentbus",
      "/var/lib/agentbus",
      "/var/spool/cron",
      "/var/spool/cron/crontabs",
      "/var/spool/at",
    ],
    ...[
      "/etc/passwd",
      "/etc/group",
      "/etc/shadow",
      "/etc/gshadow",
      "/etc/sudoers",
      "/etc/sudoers.d",
      "/etc/sudo.conf",
      "/etc/doas.conf",
    ],
    ...[
      "/etc/cron.d",
      "/etc/cron.hourly",
      "/etc/cron.daily",
      "/etc/cron.weekly",
      "/etc/cron.monthly",
      "/etc/crontab",
      "/etc/anacrontab",
    ],
    ...[
      "/etc/systemd",
      "/etc/systemd/system",
      "/etc/systemd/user",
      "/run/systemd/system",
      "/usr/lib/systemd/system",
      "/usr/local/lib/systemd/system",
    ],
    ...[
      "/etc/init.d",
      "/etc/rc.local",
      "/etc/inittab",
      "/etc/tmpfiles.d",
      "/usr/lib/tmpfiles.d",
      "/run/tmpfiles.d",
      "/etc/sysctl.d",
      "/etc/sysctl.conf",
    ],
    ...[
      "/etc/profile",
      "/etc/profile.d",
      "/etc/environment",
      "/etc/bash.bashrc",
      "/etc/zsh",
      "/etc/zshenv",
      "/etc/zprofile",
      "/etc/skel",
      "/etc/shells",
    ],
    ...[
      "/etc/ld.so.conf",
      "/etc/ld.so.conf.d",
      "/etc/ld.so.preload",
      "/etc/ld.so.cache",
      "/etc/pam.d",
      "/etc/security",
      "/etc/nsswitch.conf",
      "/etc/hosts",
    ],
    ...[
      "/etc/resolv.conf",
      "/etc/ssh",
      "/etc/ssh/sshd_config",
      "/etc/ssh/sshd_config.d",
      "/etc/apt",
      "/etc/apt/sources.list.d",
      "/etc/apt/apt.conf.d",
    ],
    ...[
      "/etc/udev/rules.d",
      "/etc/polkit-1/rules.d",
      "/usr/share/polkit-1/actions",
      "/etc/dbus-1/system.d",
      "/etc/modprobe.d",
      "/etc/modules-load.d",
    ],
    ...[
      "/etc/xdg/autostart",
      "/etc/X11",
      "/etc/alternatives",
      "/etc/default",
      "/etc/logrotate.d",
      "/etc/subuid",
      "/etc/subgid",
    ],
  ],
  filledDirs: [
    ...PATH_DIRS,
    ...[
      "/etc/sudoers.d",
      "/etc/cron.d",
      "/etc/cron.hourly",
      "/etc/cron.daily",
      "/etc/cron.weekly",
      "/etc/cron.monthly",
    ],
    ...[
      "/etc/systemd/system",
      "/etc/profile.d",
      "/etc/pam.d",
      "/etc/ld.so.conf.d",
      "/etc/init.d",
      "/etc/tmpfiles.d",
      "/etc/udev/rules.d",
    ],
    ...["/etc/apt/apt.conf.d", "/etc/polkit-1/rules.d", "/etc/logrotate.d", "/etc/modprobe.d"],
  ],
  rootsHands: [
    ...CONTAINERS,
    ...[
      "/dev/mem",
      "/dev/kmem",
      "/dev/port",
      "/dev/sda",
      "/dev/sdb",
      "/dev/vda",
      "/dev/vdb",
      "/dev/nvme0n1",
      "/dev/nvme1n1",
      "/dev/mmcblk0",
    ],
    ...[
      "/dev/mapper/control",
      "/dev/dm-0",
      "/dev/dm-1",
      "/proc/sysrq-trigger",
      "/proc/sys/kernel/core_pattern",
      "/sys/kernel/uevent_helper",
    ],
  ],
};

const DARWIN: Places = {
  secrets: [
    ...["/etc/master.passwd", "/etc/sudoers", "/var/root", "/var/db/dslocal/nodes/Default/users", "/var/db/SystemKey"],
    ...[
      "/etc/ssh/ssh_host_rsa_key",
      "/etc/ssh/ssh_host_ecdsa_key",
      "/etc/ssh/ssh_host_ed25519_key",
      "/etc/krb5.keytab",
    ],
  ],
  trusted: [
    ...[
      "/",
      "/etc",
      "/usr/local",
      "/usr/local/bin",
      "/usr/local/sbin",
      "/opt",
      "/opt/homebrew",
      "/opt/homebrew/bin",
      "/Library",
      "/Users",
    ],
    ...[
      "/etc/passwd",
      "/etc/group",
      "/etc/sudoers",
      "/etc/sudoers.d",
      "/etc/pam.d",
      "/etc/hosts",
      "/etc/profile",
      "/etc/zshenv",
      "/etc/zprofile",
    ],
    ...[
      "/etc/zshrc",
      "/etc/bashrc",
      "/etc/paths",
      "/etc/paths.d",
      "/etc/newsyslog.d",
      "/etc/ssh",
      "/etc/ssh/sshd_config",
      "/etc/periodic",
    ],
    ...[
      "/Library/LaunchDaemons",
      "/Library/LaunchAgents",
      "/Library/PrivilegedHelperTools",
      "/Library/Security",
      "/Library/StartupItems",
    ],
    ...[
      "/Library/Application Support",
      "/Library/Preferences",
      "/var/at",
      "/var/at/tabs",
      "/var/spool",
      "/var/spool/agentbus",
      "/var/lib/agentbus",
      "/Applications",
    ],
  ],
  filledDirs: [
    ...[...PATH_DIRS, "/opt/homebrew/bin", "/opt/homebrew/sbin", "/etc/sudoers.d", "/etc/pam.d"],
    ...["/Library/LaunchDaemons", "/Library/LaunchAgents", "/Library/PrivilegedHelperTools"],
  ],
  rootsHands: ["/var/run/docker.sock", "/dev/disk0", "/dev/disk1", "/dev/rdisk0", "/dev/rdisk1", "/dev/bpf0"],
};

export function placesOfSystem({ platform }: Flavour): Places {
  return platform === "darwin" ? DARWIN : LINUX;
}
