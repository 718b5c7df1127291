package testutil

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Whiteout is how [Dump] describes a character device 0/0, by which overlayfs hides a name, whatever else it has.
const Whiteout = "whiteout"

// Dump describes everything in a tree as it is on disk, the root as ".", a line a path: type and mode, owners, time;
// size and digest, target or device numbers; the number of hard links and their first name; extended attributes in
// the order of their names. keep says which attributes (nil: all); security labels, which the host sets, never are.
func Dump(t testing.TB, root string, keep func(xattr string) bool) map[string]string {
	t.Helper()
	tree := map[string]string{}
	first := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		tree[rel], err = describe(path, rel, first, keep)
		return err
	})
	if err != nil {
		t.Fatalf("dump %s: %v", root, err)
	}
	return tree
}

// describe is the line of one path; first has the first name of each inode with several.
func describe(path, rel string, first map[uint64]string, keep func(string) bool) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	kind := st.Mode & unix.S_IFMT
	if kind == unix.S_IFCHR && st.Rdev == 0 {
		return Whiteout, nil
	}
	sec, nsec := st.Mtim.Unix()
	line := fmt.Sprintf("%#o %d:%d %d.%09d", st.Mode, st.Uid, st.Gid, sec, nsec)
	switch kind {
	case unix.S_IFREG:
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		line += fmt.Sprintf(" %d %.4x", st.Size, sha256.Sum256(data))
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		line += " -> " + target
	case unix.S_IFCHR, unix.S_IFBLK:
		line += fmt.Sprintf(" %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	if st.Nlink > 1 && kind != unix.S_IFDIR {
		if first[st.Ino] == "" {
			first[st.Ino] = rel
		}
		line += fmt.Sprintf(" %d links, first %s", st.Nlink, first[st.Ino])
	}
	attributes, err := describeXattrs(path, keep)
	return line + attributes, err
}

func describeXattrs(path string, keep func(string) bool) (string, error) {
	buf := make([]byte, 1<<16) // the most that the kernel has of names, and of a value
	n, err := unix.Llistxattr(path, buf)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return "", nil
	}
	if err != nil {
		return "", &fs.PathError{Op: "list the xattrs of", Path: path, Err: err}
	}
	names := strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 })
	slices.Sort(names)
	line := ""
	for _, name := range names {
		if hostLabel(name) || keep != nil && !keep(name) {
			continue
		}
		n, err := unix.Lgetxattr(path, name, buf)
		if err != nil {
			return "", &fs.PathError{Op: "read the xattr " + name + " of", Path: path, Err: err}
		}
		line += fmt.Sprintf(" %s=%q", name, buf[:n])
	}
	return line, nil
}

// hostLabel reports whether an attribute is one that the host's security module puts on every file.
func hostLabel(name string) bool {
	rest, ok := strings.CutPrefix(name, "security.")
	return ok && rest != "capability"
}

// SameTrees fails the test for each path that two dumps have not alike. what says of what they are.
func SameTrees(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	paths := maps.Clone(got)
	maps.Copy(paths, want)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if got[path] != want[path] {
			t.Errorf("%s: %s\n is   %q\n want %q", what, path, got[path], want[path])
		}
	}
}

// Paths lists what is below a directory, sorted, without the directory itself.
func Paths(t testing.TB, root string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		rel, err := filepath.Rel(root, path)
		paths = append(paths, rel)
		return err
	})
	if err != nil {
		t.Fatalf("list %s: %v", root, err)
	}
	return paths
}
