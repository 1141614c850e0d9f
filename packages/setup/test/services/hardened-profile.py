"""Runs a command as a unit's account within what its sandbox settings make of the machine, without systemd: the mounts of
ProtectSystem=strict, ProtectHome=tmpfs, BindPaths=, ReadWritePaths= and PrivateTmp=, no capabilities, no_new_privs, and one
seccomp filter of SystemCallFilter=, RestrictSUIDSGID=, RestrictNamespaces=, RestrictAddressFamilies=, LockPersonality= and
RestrictRealtime=. Exits with 77 where this machine cannot do it.

usage: hardened-profile.py UNIT COMMAND..."""
import ctypes
import errno
import os
import pwd
import re
import socket
import subprocess
import sys

CLONE_NEWNS, MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 1, 2, 4, 32, 4096, 16384, 1 << 18
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24
ALLOW = 0x7FFF0000
NOT_EQUAL, EQUAL, MASKED = 1, 4, 7
MODE_ARGUMENT = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "mkdir": 1, "mkdirat": 2, "mknod": 1, "mknodat": 2, "creat": 1}
OPENING = {"open": (1, 2), "openat": (2, 3)}

libc = ctypes.CDLL(None, use_errno=True)


def fail(what):
    print(what, file=sys.stderr)
    sys.exit(77)


def check(result, what):
    if result != 0:
        fail(f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source, target, kind, flags, data=None, hidden=()):
    encode = lambda text: None if text is None else text.encode()
    result = libc.mount(encode(source), encode(target), encode(kind), ctypes.c_ulong(flags), encode(data))
    if result == 0 or ctypes.get_errno() not in hidden:
        check(result, f"mount {target}")


def settings(path):
    found = {}
    for line in open(path):
        match = re.match(r"([A-Za-z]+)=(.*)", line.strip())
        if match:
            found[match[1]] = match[2]
    return found


def mounts():
    lines = [line.split() for line in open("/proc/self/mountinfo")]
    return [(line[4].encode().decode("unicode_escape"), line[5].split(",")) for line in lines]


def restrict_mounts(unit):
    check(libc.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    bound = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in unit["BindPaths"].split()}
    writable = unit.get("ReadWritePaths", "").split()
    for path in writable:
        mount(path, path, None, MS_BIND | MS_REC)
    if unit["ProtectSystem"] == "strict":
        for path, options in mounts():
            if re.match(r"/(?:dev|proc|sys)(?:/|$)", path) or any((path + "/").startswith(each + "/") for each in writable):
                continue
            # One that lies below another mount cannot be reached, by nobody.
            kept = sum(flag for name, flag in (("nosuid", MS_NOSUID), ("nodev", MS_NODEV)) if name in options)
            mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept, hidden=(errno.ENOENT, errno.EINVAL))
    for path in ("/home", "/root", "/run/user"):
        if os.path.isdir(path):
            mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    for path, directory in bound.items():
        os.makedirs(path, 0o755, exist_ok=True)
        mount(f"/proc/self/fd/{directory}", path, None, MS_BIND | MS_REC)
        os.close(directory)
        mount(None, path, None, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV)
    for path in ("/home", "/root", "/run/user"):
        if os.path.isdir(path):
            mount(None, path, None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
    for path in ("/tmp", "/var/tmp"):
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def allowed_calls(groups):
    """Names of system calls, the groups within groups as well."""
    names, pending, seen = set(), list(groups), set()
    while pending:
        name = pending.pop()
        if not name.startswith("@"):
            names.add(name)
        elif name not in seen:
            seen.add(name)
            listing = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True)
            if listing.returncode != 0:
                fail(listing.stderr)
            pending += [line.strip() for line in listing.stdout.split("\n")[1:] if line.strip() and "#" not in line]
    return names


def restrict_calls(unit):
    try:
        seccomp = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        fail(str(error))
    seccomp.seccomp_init.restype = ctypes.c_void_p
    deny = 0x00050000 | getattr(errno, unit["SystemCallErrorNumber"])
    permission = 0x00050000 | errno.EPERM
    number = lambda name: seccomp.seccomp_syscall_resolve_name(name.encode())

    def load(default, rules):
        context = ctypes.c_void_p(seccomp.seccomp_init(default))
        for action, name, *compare in rules:
            if number(name) >= 0:
                array = (Compare * len(compare))(*[Compare(*each) for each in compare])
                check(seccomp.seccomp_rule_add_array(context, action, number(name), len(compare), array), f"rule {name}")
        check(seccomp.seccomp_load(context), "seccomp_load")

    # Several filters, as systemd loads them: of their answers the strictest counts.
    rules = [(permission, "personality", (0, NOT_EQUAL, 0, 0))] if unit.get("LockPersonality") == "yes" else []
    if unit.get("RestrictRealtime") == "yes":
        rules += [(permission, "sched_setscheduler", (1, EQUAL, policy, 0)) for policy in (1, 2, 6)]
    if unit.get("RestrictSUIDSGID") == "yes":
        for bit in (0o4000, 0o2000):
            rules += [(permission, name, (argument, MASKED, bit, bit)) for name, argument in MODE_ARGUMENT.items()]
            rules += [(permission, name, (flags, MASKED, 0o100, 0o100), (mode, MASKED, bit, bit)) for name, (flags, mode) in OPENING.items()]
        rules.append((0x00050000 | errno.ENOSYS, "openat2"))
        rules.append((permission, "fchmodat2", (2, MASKED, 0o4000, 0o4000)))
        rules.append((permission, "fchmodat2", (2, MASKED, 0o2000, 0o2000)))
    if unit.get("RestrictNamespaces") == "yes":
        rules += [(permission, name, (0, MASKED, bit, bit)) for name in ("clone", "unshare") for bit in (0x20000, 0x40000000, 0x10000000, 0x20000000, 0x8000000, 0x4000000, 0x2000000)]
        rules += [(permission, "setns"), (0x00050000 | errno.ENOSYS, "clone3")]
    load(ALLOW, rules)
    families = [getattr(socket, name) for name in unit["RestrictAddressFamilies"].split()]
    load(ALLOW, [(0x00050000 | errno.EAFNOSUPPORT, "socket", (0, EQUAL, family, 0)) for family in range(46) if family not in families])
    load(deny, [(ALLOW, name) for name in allowed_calls(unit["SystemCallFilter"].split())])


unit = settings(sys.argv[1])
account = pwd.getpwnam(unit["User"])
calls = allowed_calls(unit["SystemCallFilter"].split()) if "SystemCallFilter" in unit else set()
if calls:
    # Known before the filter is on, which lets systemd-analyze start no more.
    allowed_calls = lambda groups: calls
restrict_mounts(unit)
os.chdir(unit["WorkingDirectory"])
os.umask(int(unit["UMask"], 8))
if unit.get("CapabilityBoundingSet") == "":
    for capability in range(int(open("/proc/sys/kernel/cap_last_cap").read()) + 1):
        check(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "prctl")
os.initgroups(account.pw_name, account.pw_gid)
os.setgid(account.pw_gid)
os.setuid(account.pw_uid)
if unit.get("NoNewPrivileges") == "yes":
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    restrict_calls(unit)
os.environ.update(HOME=account.pw_dir, USER=account.pw_name, LOGNAME=account.pw_name)
os.execvp(sys.argv[2], sys.argv[2:])
