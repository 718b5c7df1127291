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

// A View says what [View.Dump] leaves out of a tree, because not every way to a tree keeps it. The zero View leaves out nothing.
type View struct {
	// Skip says which paths are left out; nil: none.
	Skip func(path string) bool
	// Prune leaves out what is below a path that Skip leaves out, too, and does not look at it.
	Prune bool
	// Xattr says which extended attributes are described; nil: all.
	Xattr func(name string) bool
	// Time writes the time of a file, "" to leave it out; nil: seconds and nanoseconds.
	Time func(st *unix.Stat_t) string
}

// Seconds is the Time of a [View] of file systems that keep whole seconds.
func Seconds(st *unix.Stat_t) string {
	sec, _ := st.Mtim.Unix()
	return fmt.Sprint(sec)
}

// FileSeconds is [Seconds] of what is no directory: umoci sets the times of directories too early.
func FileSeconds(st *unix.Stat_t) string {
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return ""
	}
	return Seconds(st)
}

// Dump is [View.Dump] of the zero View.
func Dump(t testing.TB, root string) map[string]string {
	t.Helper()
	return View{}.Dump(t, root)
}

// Dump describes everything in a tree as it is on disk, the root as ".", a line a path: type and mode, owners, time;
// size and digest, target or device numbers; the number of hard links and their first name; extended attributes in
// the order of their names. Security labels, which the host sets, are none of them.
func (v View) Dump(t testing.TB, root string) map[string]string {
	t.Helper()
	tree, err := v.Describe(root)
	if err != nil {
		t.Fatalf("dump %s: %v", root, err)
	}
	return tree
}

// Describe is [View.Dump] where no test is at hand, as in a program that a test executes.
func (v View) Describe(root string) (map[string]string, error) {
	tree := map[string]string{}
	first := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if v.Skip != nil && v.Skip(rel) {
			if v.Prune && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		tree[rel], err = v.describe(path, rel, first)
		return err
	})
	return tree, err
}

// describe is the line of one path; first has the first name of each inode with several.
func (v View) describe(path, rel string, first map[uint64]string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	kind := st.Mode & unix.S_IFMT
	if kind == unix.S_IFCHR && st.Rdev == 0 {
		return Whiteout, nil
	}
	line := fmt.Sprintf("%#o %d:%d", st.Mode, st.Uid, st.Gid)
	if v.Time == nil {
		sec, nsec := st.Mtim.Unix()
		line += fmt.Sprintf(" %d.%09d", sec, nsec)
	} else if s := v.Time(&st); s != "" {
		line += " " + s
	}
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
	attributes, err := v.describeXattrs(path)
	return line + attributes, err
}

func (v View) describeXattrs(path string) (string, error) {
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
		if hostLabel(name) || v.Xattr != nil && !v.Xattr(name) {
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

// SameTrees fails the test for each path that two dumps have not alike, 40 of them at most. what says of what they are.
func SameTrees(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	paths := maps.Clone(got)
	maps.Copy(paths, want)
	different := 0
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if got[path] == want[path] {
			continue
		}
		if different++; different <= 40 {
			t.Errorf("%s: %s\n is   %q\n want %q", what, path, got[path], want[path])
		}
	}
	if different > 40 {
		t.Errorf("%s: %d more paths", what, different-40)
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
