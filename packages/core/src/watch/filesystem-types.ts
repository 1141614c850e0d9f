/**
 * Filesystems on which somebody else's change need not pass through this kernel, by `f_type` of statfs(2): linux/magic.h, except
 * for those that say otherwise. inotify accepts them all and stays silent.
 */
const TYPES_WITHOUT_EVENTS: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0xff53_4d42, // CIFS
  0xfe53_4d42, // SMB2
  0x517b, // SMB
  0x0102_1997, // 9p: WSL's Windows drives, gVisor, QEMU shares
  0x6573_5546, // FUSE: sshfs, virtiofs, the shares of Docker Desktop
  0x786f_4256, // VirtualBox shared folders (fs/vboxsf)
  0xbacb_acbc, // VMware shared folders (open-vm-tools)
  0x5346_414f, // AFS
  0x6b41_4653, // kAFS
  0x7375_7245, // Coda
  0x564c, // NCP
  0x00c3_6400, // Ceph
  0x7461_636f, // OCFS2
  0x0116_1970, // GFS2 (fs/gfs2)
  0x0bd0_0bd0, // Lustre (lustre_user.h)
]);

/** @param type `f_type`, also as a system with 32-bit longs reports it: sign-extended */
export function isTypeWithoutEvents(type: number): boolean {
  return TYPES_WITHOUT_EVENTS.has(type >>> 0);
}
