package inode

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// everyKind makes one file of each kind that a user namespace can make.
func everyKind(t *testing.T, dir int) []string {
	t.Helper()
	for name, mode := range map[string]uint32{"file": unix.S_IFREG | 0o4711, "pipe": unix.S_IFIFO | 0o640, "socket": unix.S_IFSOCK | 0o600} {
		if err := unix.Mknodat(dir, name, mode, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(unix.Mkdirat(dir, "dir", 0o755), unix.Symlinkat("target", dir, "link")); err != nil {
		t.Fatal(err)
	}
	return []string{"dir", "file", "link", "pipe", "socket"}
}

// byFD opens a file for its name only.
func byFD(t *testing.T, dir int, name string) (Handle, unix.Stat_t) {
	t.Helper()
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { CloseFD(fd) })
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return FDHandle(fd, &st), st
}

func ownerIs(t *testing.T, dir int, name string, in Inheritance, uid, gid uint32) {
	t.Helper()
	h, st := byFD(t, dir, name)
	o, err := OwnerOf(h, &st)
	if o.Inherit(in); err != nil || o.UID != uid || o.GID != gid {
		t.Errorf("%s: %+v, %v, want %d:%d", name, o, err, uid, gid)
	}
	m, err := ReadMeta(h, &st)
	if err != nil {
		t.Fatal(err)
	}
	if m.Inherit(in); m.UID != uid || m.GID != gid || len(m.Xattrs) > 0 || len(m.Disk.Extra) > 0 {
		t.Errorf("%s: %d:%d, %q, %q, want %d:%d", name, m.UID, m.GID, m.Xattrs, m.Disk.Extra, uid, gid)
	}
}

// TestChown gives files of every kind away by descriptor, and the records stay with them.
func TestChown(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	passed := Inheritance{recorded: true, gid: 8}
	for _, name := range everyKind(t, dir) {
		h, st := byFD(t, dir, name)
		chown := func(uid, gid uint32, in Inheritance) {
			t.Helper()
			if err := Chown(h, &st, uid, gid, in); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		ownerIs(t, dir, name, Inheritance{}, 0, 0)
		ownerIs(t, dir, name, passed, 0, 8)
		chown(NoID, NoID, AnyDirectory())
		ownerIs(t, dir, name, passed, 0, 8)
		chown(1000, NoID, AnyDirectory())
		ownerIs(t, dir, name, passed, 1000, 8) // what is inherited goes on being so
		chown(NoID, 2000, AnyDirectory())
		ownerIs(t, dir, name, passed, 1000, 2000)
		chown(NoID, 0, AnyDirectory())
		ownerIs(t, dir, name, passed, 1000, 0) // in earnest
		chown(0, 0, AnyDirectory())
		ownerIs(t, dir, name, passed, 0, 0)
		chown(0, 0, Inheritance{}) // needs no record
		ownerIs(t, dir, name, passed, 0, 8)
		chown(1<<32-2, 7, Inheritance{})
		if err := unix.Renameat(dir, name, dir, name+" moved"); err != nil {
			t.Fatal(err)
		}
		ownerIs(t, dir, name+" moved", passed, 1<<32-2, 7)
		if name == "dir" {
			continue
		}
		if err := unix.Linkat(dir, name+" moved", dir, name, 0); err != nil {
			t.Fatal(err)
		}
		ownerIs(t, dir, name, passed, 1<<32-2, 7)
		if err := unix.Fchownat(dir, name, 0, 0, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
		if name != "file" {
			ownerIs(t, dir, name+" moved", Inheritance{}, 0, 0) // the kernel's own chown ends such a record
		}
	}
	_, st := byFD(t, dir, "file")
	if st.Mode&unix.S_ISUID != 0 {
		t.Error("the setuid bit is still there")
	}
}

// TestPassedOn: what a directory passes on is known from its descriptor.
func TestPassedOn(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	for i, c := range []struct {
		mode  uint32
		gid   uint32
		in    Inheritance // where it is made
		want  Inheritance
		above bool
	}{
		{0o2775, 8, Inheritance{}, Inheritance{recorded: true, gid: 8}, false},
		{0o775, 8, Inheritance{}, Inheritance{}, false},
		{0o2775, 0, Inheritance{}, Inheritance{}, true},
		{0o2775, 0, AnyDirectory(), Inheritance{}, false}, // 0 in earnest
	} {
		name := fmt.Sprint(i)
		if err := unix.Mkdirat(dir, name, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Fchmodat(dir, name, c.mode, 0); err != nil {
			t.Fatal(err)
		}
		h, st := byFD(t, dir, name)
		if err := Chown(h, &st, 0, c.gid, c.in); err != nil {
			t.Fatal(err)
		}
		if got, above, err := PassedOn(h, &st); err != nil || got != c.want || above != c.above {
			t.Errorf("%+v: %+v, %v, %v", c, got, above, err)
		}
	}
	open(t, dir, "f", unix.S_IFREG)
	h, st := byFD(t, dir, "f")
	if got, above, err := PassedOn(h, &st); err != nil || got != (Inheritance{}) || above {
		t.Errorf("a file: %+v, %v, %v", got, above, err)
	}
}

// TestRecordDevice makes a file stand for a device by descriptor.
func TestRecordDevice(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	open(t, dir, "null", unix.S_IFREG)
	h, st := byFD(t, dir, "null")
	if _, _, _, ok, err := DeviceOf(h, &st); ok || err != nil {
		t.Fatal("a device already", err)
	}
	if err := RecordDevice(h, unix.S_IFCHR|0o666, 1, 3); err != nil {
		t.Fatal(err)
	}
	kind, major, minor, ok, err := DeviceOf(h, &st)
	if err != nil || !ok || kind != unix.S_IFCHR || major != 1 || minor != 3 {
		t.Errorf("%#o %d:%d %v %v", kind, major, minor, ok, err)
	}
	if err := RecordDevice(h, unix.S_IFREG, 1, 3); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a file is no device: %v", err)
	}
	st.Size = 1 // written to
	if _, _, _, ok, err := DeviceOf(h, &st); ok || err != nil {
		t.Error("what has content is no device", err)
	}
}

// TestKeepXattr keeps, reads, lists and forgets what the kernel refuses, by descriptor.
func TestKeepXattr(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	everyKind(t, dir)
	h, st := byFD(t, dir, "file")
	if err := Chown(h, &st, 5, 6, Inheritance{}); err != nil {
		t.Fatal(err)
	}
	const name = "trusted.note"
	steps := []struct {
		flags int
		want  error
	}{{unix.XATTR_REPLACE, unix.ENODATA}, {unix.XATTR_CREATE, nil}, {unix.XATTR_CREATE, unix.EEXIST}, {0, nil}}
	for _, s := range steps {
		if err := KeepXattr(h, name, []byte("v"), s.flags); !errors.Is(err, s.want) {
			t.Errorf("flags %d: %v, want %v", s.flags, err, s.want)
		}
	}
	if value, ok, err := KeptXattr(h, name); string(value) != "v" || !ok || err != nil {
		t.Errorf("%q %v %v", value, ok, err)
	}
	if m, err := ReadMeta(h, &st); err != nil || m.Xattrs[name] != "v" {
		t.Errorf("%+v, %v", m, err)
	}
	if names, _, err := ShownXattrs(h); err != nil || !slices.Equal(names, []string{name}) {
		t.Errorf("%q, %v", names, err)
	}
	for _, want := range []error{nil, unix.ENODATA} {
		if err := ForgetXattr(h, name); !errors.Is(err, want) {
			t.Errorf("forget: %v, want %v", err, want)
		}
	}
	for _, ours := range []string{layers.XattrOwner, layers.XattrKept + "x", ""} {
		is, err := IsRecord(h, ours)
		if kerr := KeepXattr(h, ours, nil, 0); !is || err != nil || !errors.Is(kerr, unix.EPERM) {
			t.Errorf("%q: %v %v, kept: %v", ours, is, err, kerr)
		}
	}
	if err := KeepXattr(h, "trusted."+string(make([]byte, 240)), nil, 0); !errors.Is(err, unix.ERANGE) {
		t.Errorf("a long name: %v", err)
	}
	link, st := byFD(t, dir, "link")
	if err := KeepXattr(link, name, nil, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("a link: %v", err)
	}
	for _, recorded := range []bool{false, true} {
		if is, err := IsRecord(link, layers.XattrCapability); is != recorded || err != nil {
			t.Errorf("a link's capability: %v %v, want %v", is, err, recorded)
		}
		if names, _, err := ShownXattrs(link); len(names) > 0 || err != nil {
			t.Errorf("a link: %q, %v", names, err)
		}
		if err := Chown(link, &st, 5, 6, Inheritance{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLinkRecords: what is set on a link by a layer is not taken for its owner, and does not write over it.
func TestLinkRecords(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	h := open(t, dir, "link", unix.S_IFLNK)
	forged, genuine := string(owner{3, 4}.encodeCap()), string(owner{3, 4}.encodeCap()[:12])+"\x00\x00\x00\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		uid   uint32
		value string
		lost  int
	}{{0, forged, 1}, {5, forged, 1}, {5, genuine, 1}, {0, genuine, 0}} {
		want := layers.Member{Mode: unix.S_IFLNK | 0o777, UID: c.uid, ModTime: time.Unix(1, 0), Xattrs: map[string]string{layers.XattrCapability: c.value}}
		done, err := Apply(h, &want, Inheritance{}, true)
		if err != nil || len(done.Lost) != c.lost {
			t.Fatalf("%+v: lost %q, %v", c, done.Lost, err)
		}
		if m := meta(t, h); m.UID != c.uid || m.GID != 0 || len(m.Xattrs) != 1-c.lost {
			t.Errorf("%+v: %d:%d %q", c, m.UID, m.GID, m.Xattrs)
		}
	}
}
