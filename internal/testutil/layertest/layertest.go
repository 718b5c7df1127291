// Package layertest has a table of images with what is visible in them, and short names for the members of its layers.
package layertest

import (
	"archive/tar"
	"testing"

	"xtoo/internal/testutil"
)

// An Item is a member of a test's layer.
type Item = testutil.Member

// Reg is a regular file of mode 0644.
func Reg(name, data string) Item { return testutil.File(name, data).WithMode(0o644) }

// Dir is a directory.
func Dir(name string, mode int64) Item { return testutil.Dir(name).WithMode(mode) }

// Sym is a symbolic link.
func Sym(name, target string) Item { return testutil.Symlink(name, target) }

// Hard is a hard link.
func Hard(name, target string) Item { return testutil.Link(name, target) }

// Char is a character device of mode 0600.
func Char(name string, major, minor int64) Item {
	return testutil.Device(name, tar.TypeChar, major, minor).WithMode(0o600)
}

// Wh is an empty file, as whiteouts are.
func Wh(name string) Item { return Reg(name, "") }

// Tar writes items as a tar stream.
func Tar(t testing.TB, items ...Item) []byte {
	t.Helper()
	return testutil.Tar(t, items...)
}
