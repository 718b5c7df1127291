package host

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// holdsLayers says whether overlayfs takes a file system's directories for its upper and work directories: not one's that other
// machines change, nor one's without user xattrs, nor an overlay's.
func holdsLayers(name, release string) bool {
	switch name {
	case "overlay", "fuse", "ramfs", "vfat", "exfat", "ecryptfs":
		return false
	case "tmpfs":
		return AtLeast(release, 6, 6)
	}
	return !isNetwork(name)
}

// isLocalDisk says whether a file system is one of those that are known to hold layers.
func isLocalDisk(name, release string) bool {
	switch name {
	case "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "tmpfs":
		return holdsLayers(name, release)
	}
	return false
}

// Scratch finds a directory for layer directories where the file system of a store cannot hold them: one of this user's own,
// and for this store alone, on a disk of this machine; or, where there is none, on an overlay. It makes the directory that holds it. "" where the store's own will do, or there is none.
func Scratch(storeDir string) string {
	near, err := NearestDir(storeDir)
	if err != nil {
		return ""
	}
	name, release, places := FilesystemName(near), KernelRelease(), []string{os.TempDir(), "/var/tmp", "/tmp"}
	if holdsLayers(name, release) {
		return ""
	}
	dir := scratchIn(places, storeDir, func(name string) bool { return isLocalDisk(name, release) })
	if dir == "" && name != "overlay" { // on an overlay roots can be copied, at least, and faster than over a network
		dir = scratchIn(places, storeDir, func(name string) bool { return name == "overlay" })
	}
	return dir
}

func scratchIn(places []string, storeDir string, will func(filesystem string) bool) string {
	sum := sha256.Sum256([]byte(storeDir))
	for _, place := range places {
		if !filepath.IsAbs(place) || !will(FilesystemName(place)) {
			continue
		}
		if dir := filepath.Join(place, "xtoo-"+ownName()); makeOwn(dir) == nil {
			return filepath.Join(dir, hex.EncodeToString(sum[:6]))
		}
	}
	return ""
}

// ownName is this user's number, outside of user namespaces as far as that can be known: others are root in theirs, too.
func ownName() string {
	uid := uint32(os.Geteuid())
	m, err := readIDMap("/proc/self/uid_map")
	if err != nil {
		m = nil
	}
	for _, r := range m {
		if uid >= r.ContainerID && uid-r.ContainerID < r.Size {
			uid = r.HostID + (uid - r.ContainerID)
			break
		}
	}
	return strconv.FormatUint(uint64(uid), 10)
}

// makeOwn makes a directory where anybody may make one, and sees that it is nobody else's.
func makeOwn(dir string) error {
	if err := os.Mkdir(dir, 0o700); err == nil || !os.IsExist(err) {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: dir, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o022 != 0 || st.Uid != uint32(os.Geteuid()) {
		return fmt.Errorf("%s is not a directory of this user's alone", dir)
	}
	return nil
}

// ScratchFinding says where layer directories are when they are not in the store.
func ScratchFinding(storeDir, scratch string) Finding {
	near, err := NearestDir(storeDir)
	if err != nil {
		return Failed("store", StateBad, err)
	}
	name := FilesystemName(near)
	f := Finding{
		Name: "scratch", State: StateOK,
		Detail: fmt.Sprintf("layer directories are in %s: the store %s is on %s, which overlayfs cannot be used on (XTOO_SCRATCH names another directory)", scratch, storeDir, name),
	}
	if name == "vfat" || name == "exfat" {
		f.State = StateWarn
		f.Hint = name + " has neither owners nor modes: mount it with uid= of this user and umask=077, or keep the store elsewhere (--store, XTOO_STORE)"
	}
	return f
}
