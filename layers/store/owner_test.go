package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/layers/store"
)

// A store or scratch that is not the user's own is refused, with both names and the way out.
func TestStoreOfAnother(t *testing.T) {
	others := "/usr" // root's
	if os.Geteuid() == 0 {
		others = t.TempDir()
		testutil.Must(t, os.Chown(others, 1, 1))
	}
	for what, o := range map[string]struct{ store, scratch string }{
		"store": {others, ""}, "scratch": {filepath.Join(t.TempDir(), "s"), others},
	} {
		_, err := store.Open(o.store, store.OpenOptions{Scratch: o.scratch})
		var owner *store.OwnerError
		if !errors.As(err, &owner) {
			t.Fatalf("the %s of another: %v", what, err)
		}
		if os.Geteuid() == 0 {
			testutil.Contains(t, err.Error(), others+" belongs to daemon (1), and this is root (0)")
		} else {
			testutil.Contains(t, err.Error(), "/usr belongs to root (0), and this is ")
		}
		testutil.Contains(t, owner.Hint(), "XTOO_STORE=DIR")
	}
}

// In a place where all may write, what somebody else has prepared is not the user's own, even behind a directory that is.
func TestPreparedStore(t *testing.T) {
	dir := t.TempDir()
	open := func() error {
		_, err := store.Open(dir, store.OpenOptions{})
		return err
	}
	var owner *store.OwnerError
	testutil.Must(t, os.Chmod(dir, 0o777))
	if err := open(); !errors.As(err, &owner) {
		t.Errorf("a store that all may write to: %v", err)
	}
	testutil.Contains(t, owner.Hint(), "chmod o-w "+dir)
	testutil.Must(t, os.Chmod(dir, 0o777|os.ModeSticky))
	if err := open(); err != nil {
		t.Errorf("what all may add to, and only the owner may replace: %v", err)
	}
	testutil.Must(t, os.Symlink("/usr", filepath.Join(dir, "layers")))
	if err := open(); os.Geteuid() != 0 && !errors.As(err, &owner) {
		t.Errorf("layers/ is another's: %v", err)
	}
	testutil.Must(t, os.Remove(filepath.Join(dir, "layers")))
	testutil.Must(t, os.Symlink(t.TempDir(), filepath.Join(dir, "layers")))
	if err := open(); err != nil {
		t.Errorf("layers/ is elsewhere, and one's own: %v", err)
	}
	testutil.Must(t, os.WriteFile(filepath.Join(dir, "cache"), nil, 0o600))
	if err := open(); err == nil {
		t.Error("cache/ is a file")
	}
}

// What this user may not look at is said to be so, with a way out: root on a network's file system has no rights.
func TestOwnerUnknown(t *testing.T) {
	closed := t.TempDir()
	testutil.Must(t, os.Chmod(closed, 0))
	t.Cleanup(func() { testutil.Must(t, os.Chmod(closed, 0o700)) })
	_, err := store.Open(filepath.Join(closed, "store"), store.OpenOptions{})
	if os.Geteuid() == 0 { // who may look at everything
		testutil.Must(t, err)
		return
	}
	var h interface{ Hint() string }
	if !errors.Is(err, os.ErrPermission) || !errors.As(err, &h) {
		t.Fatalf("%v", err)
	}
	testutil.Contains(t, h.Hint(), "XTOO_STORE=DIR")
}
