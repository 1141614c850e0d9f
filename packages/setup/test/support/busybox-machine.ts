import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { NEEDS_NAMESPACES, SandboxMachine, SORTED_MEMBERS } from "./sandbox-machine.js";

/** Those that make accounts, which Debian's busybox is built without. */
const APPLETS = ["adduser", "addgroup", "deluser", "delgroup"];
const BUSYBOX = process.env["TEST_BUSYBOX"] ?? "busybox";

/** What `test(name, { skip })` takes: false where there is a busybox that makes accounts. */
export const NEEDS_BUSYBOX: string | false = NEEDS_NAMESPACES || whyNoBusybox();

/**
 * A machine like an Alpine: all its programs are busybox's, but for Node. Its root is a directory of the sandbox, so that no program
 * of this machine can be found by any path.
 */
export async function busyboxMachine(context: TestContext): Promise<SandboxMachine> {
  const busybox = spawnSync("sh", ["-c", 'command -v "$1"', "sh", BUSYBOX], { encoding: "utf8" }).stdout.trim();
  const machine = await SandboxMachine.make(context, BECOME_ALPINE, [busybox, process.execPath]);
  machine.must(["adduser", "-D", "-u", "41000", "-s", "/bin/sh", "-g", "", "alice"]);
  return machine;
}

/** Busybox's find knows no -printf. */
export const BUSYBOX_SNAPSHOT = `
for file in passwd shadow; do echo "== /etc/$file"; sort /etc/$file; done
echo "== /etc/group"; ${SORTED_MEMBERS} /etc/group | sort
for dir in /etc /home /var/spool; do
  echo "== $dir"
  find $dir -exec stat -c '%A %u:%g %N' {} + | sort -k3
  find $dir -type f ! -name passwd ! -name 'passwd-' ! -name 'group*' ! -name 'shadow*' ! -name spool.json ! -name subscription.json -exec md5sum {} + | sort -k2
done
`;

const BECOME_ALPINE = `
root=/mnt/root
mkdir $root && mount -t tmpfs -o mode=755 tmpfs $root && cd $root
mkdir -p bin sbin usr/bin usr/sbin usr/lib etc proc dev home root run tmp var/spool var/lib var/log var/tmp mnt/agentbus
chmod 0700 root && chmod 1777 tmp var/tmp
mount --rbind /proc proc && mount --rbind /dev dev && mount --bind "$1" mnt/agentbus
# Node and this busybox are linked to the libraries of this machine.
mount --bind /usr/lib usr/lib
for dir in lib lib32 lib64; do
  if test -L /$dir; then cp -P /$dir $dir; elif test -d /$dir; then mkdir $dir && mount --bind /$dir $dir; fi
done
test ! -d /usr/lib64 || { mkdir usr/lib64 && mount --bind /usr/lib64 usr/lib64; }
mkdir -p ".$(dirname "$3")" && touch ".$3" && mount --bind "$3" ".$3"
cp "$2" bin/busybox && chmod 0755 bin/busybox
chroot . /bin/busybox --install -s
cat > etc/passwd <<'END'
root:x:0:0:root:/root:/bin/sh
bin:x:1:1:bin:/bin:/sbin/nologin
daemon:x:2:2:daemon:/sbin:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
END
cat > etc/group <<'END'
root:x:0:root
bin:x:1:root,bin,daemon
daemon:x:2:root,bin,daemon
tty:x:5:
users:x:100:games
nogroup:x:65533:
nobody:x:65534:
END
sed 's/^\\([^:]*\\):.*/\\1:*::0:::::/' etc/passwd > etc/shadow && chmod 0640 etc/shadow
echo /bin/sh > etc/shells
echo 'ID=alpine' > etc/os-release
cat > etc/profile <<'END'
export PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
umask 022
END
# Not before it has that root: whoever enters takes over the root that it has then.
exec chroot . /bin/sh -c 'echo ready; exec cat'
`;

function whyNoBusybox(): string | false {
  const { status, stdout } = spawnSync(BUSYBOX, ["--list"], { encoding: "utf8" });
  const lacks = APPLETS.filter((applet) => status !== 0 || !stdout.split("\n").includes(applet));
  if (lacks.length === 0) return false;
  return `needs a busybox with ${lacks.join(", ")}, in $TEST_BUSYBOX or on the PATH; CONTRIBUTING.md says how to make one`;
}
