package tree

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

func TestRemoveAll(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	keep := filepath.Join(dir, "keep")
	if err := errors.Join(
		os.MkdirAll(filepath.Join(tree, "a/b/c"), 0o755),
		os.WriteFile(filepath.Join(tree, "a/b/file"), nil, 0o000),
		os.Mkdir(keep, 0o755),
		os.WriteFile(filepath.Join(keep, "file"), []byte("x"), 0o644),
		os.Symlink(keep, filepath.Join(tree, "a/link")),
		os.Symlink("/nonexistent", filepath.Join(tree, "dangling")),
		unix.Mkfifo(filepath.Join(tree, "fifo"), 0o600),
		os.Chmod(filepath.Join(tree, "a/b/c"), 0),
		os.Chmod(filepath.Join(tree, "a/b"), 0o500),
		os.Chmod(filepath.Join(tree, "a"), 0),
		os.Symlink(keep, filepath.Join(dir, "link")),
	); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"tree", "link", "tree", "no/such"} {
		if err := RemoveAll(t.Context(), filepath.Join(dir, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(keep, "file")); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
	if err := RemoveAll(t.Context(), "/"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("removing /: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := RemoveAll(ctx, keep); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
}

// TestRemoveDeep has a tree that is deeper than the descriptors that the process may have.
func TestRemoveDeep(t *testing.T) {
	dir := t.TempDir()
	top, err := inode.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 100)
	fd := top
	for range 3 * maxRemoveDepth {
		if err := unix.Mkdirat(fd, name, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkdirat(fd, "side", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := inode.OpenDir(fd, name)
		inode.CloseFD(fd)
		if err != nil {
			t.Fatal(err)
		}
		fd = next
	}
	inode.CloseFD(fd)
	if err := RemoveAll(t.Context(), filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestRemoveMounts(t *testing.T) {
	for _, tier := range tiers {
		t.Run(tier, func(t *testing.T) {
			if !inside(t, tier) {
				return
			}
			dir := t.TempDir()
			tree, keep := filepath.Join(dir, "tree"), filepath.Join(dir, "keep")
			if err := errors.Join(
				os.MkdirAll(filepath.Join(tree, "a/mnt"), 0o755),
				os.Mkdir(keep, 0o755),
				os.WriteFile(filepath.Join(keep, "file"), []byte("x"), 0o644),
				unix.Mount(keep, filepath.Join(tree, "a/mnt"), "", unix.MS_BIND, ""), // of the same file system
			); err != nil {
				t.Fatal(err)
			}
			if err := RemoveAll(t.Context(), tree); !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "tree/a/mnt") {
				t.Errorf("with something mounted: %v", err)
			}
			if _, err := os.Stat(filepath.Join(keep, "file")); err != nil {
				t.Errorf("what is mounted was removed: %v", err)
			}
			if err := unix.Unmount(filepath.Join(tree, "a/mnt"), 0); err != nil {
				t.Fatal(err)
			}
			if err := RemoveAll(t.Context(), tree); err != nil {
				t.Error(err)
			}
		})
	}
}
