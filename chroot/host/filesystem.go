package host

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// FilesystemName names the file system of a path, for messages.
func FilesystemName(path string) string {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return "unknown file system"
	}
	// A server of 9p says what its own directory is on.
	if kind := mountedAs(path, "/proc/thread-self/mountinfo"); kind == "9p" {
		return kind
	}
	if name, ok := filesystems()[int64(st.Type)]; ok { //nolint:unconvert // int32 on 32-bit machines
		return name
	}
	return fmt.Sprintf("file system %#x", st.Type)
}

// mountedAs is the type of the file system that a path is on, of a file such as /proc/thread-self/mountinfo (proc(5): the first
// thread may have been used up in another mount namespace). "" where the kernel
// does not say which mount that is (before Linux 5.8).
func mountedAs(path, mountinfo string) string {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID, &st) != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return ""
	}
	data, err := os.ReadFile(mountinfo)
	if err != nil {
		return ""
	}
	id := strconv.FormatUint(st.Mnt_id, 10) + " "
	for line := range strings.Lines(string(data)) {
		if _, kind, ok := strings.Cut(line, " - "); ok && strings.HasPrefix(line, id) {
			kind, _, _ = strings.Cut(kind, " ")
			return kind
		}
	}
	return ""
}

// filesystems are those worth a name (statfs(2)).
func filesystems() map[int64]string {
	return map[int64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.F2FS_SUPER_MAGIC: "f2fs",
		unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs", unix.SMB2_SUPER_MAGIC: "smb",
		unix.CIFS_SUPER_MAGIC: "cifs", unix.CEPH_SUPER_MAGIC: "ceph", unix.FUSE_SUPER_MAGIC: "fuse", 0x2fc12fc1: "zfs",
		0xca451a4e: "bcachefs", 0x0bd00bd0: "lustre", 0x47504653: "gpfs", 0x19830326: "beegfs", unix.V9FS_MAGIC: "9p",
		0xf15f: "ecryptfs", unix.MSDOS_SUPER_MAGIC: "vfat", unix.EXFAT_SUPER_MAGIC: "exfat", unix.AFS_SUPER_MAGIC: "afs",
		0x01161970: "gfs2", 0x7461636f: "ocfs2", unix.RAMFS_MAGIC: "ramfs",
	}
}

// isNetwork says whether a file system is shared between machines.
func isNetwork(name string) bool {
	switch name {
	case "nfs", "smb", "cifs", "ceph", "lustre", "gpfs", "beegfs", "9p", "afs", "gfs2", "ocfs2":
		return true
	}
	return false
}

// IsShared says whether other machines may work in a directory, or where it will be: it is on a network's file system,
// or on one that a program makes and nobody knows.
func IsShared(dir string) bool {
	near, err := NearestDir(dir)
	if err != nil {
		return false // whoever uses it finds out
	}
	name := FilesystemName(near)
	return isNetwork(name) || name == "fuse"
}
