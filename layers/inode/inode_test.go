package inode

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// open makes a file or directory and opens its handle.
func open(t *testing.T, dir int, name string, mode uint32) Handle {
	t.Helper()
	var err error
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = unix.Mkdirat(dir, name, 0o700)
	case unix.S_IFLNK:
		err = unix.Symlinkat("target", dir, name)
	default:
		var fd int
		if fd, err = unix.Openat(dir, name, unix.O_CREAT|unix.O_WRONLY|unix.O_EXCL|unix.O_CLOEXEC, 0o600); err == nil {
			err = unix.Close(fd)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	st, err := StatAt(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(dir, name, &st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// meta reads what a handle's file stands for.
func meta(t *testing.T, h Handle) *Meta {
	t.Helper()
	st, err := StatAt(h.Dir, h.Name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadMeta(h, &st)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func root(t *testing.T) int {
	t.Helper()
	fd, err := OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { CloseFD(fd) })
	return fd
}

// TestOwnerRecords writes and reads owners that the namespace does not have, by handle.
func TestOwnerRecords(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	for i, c := range []struct {
		uid, gid uint32
		in       Inheritance
		record   string
	}{
		{0, 0, Inheritance{}, ""},
		{5, 0, Inheritance{}, "\x08\x05\x10\xff\xff\xff\xff\x0f"},
		{0, 8, Inheritance{}, "\x08\xff\xff\xff\xff\x0f\x10\x08"},
		{1000, 1 << 21, Inheritance{}, "\x08\xe8\x07\x10\x80\x80\x80\x01"},
		{1<<32 - 2, 1<<32 - 2, Inheritance{}, "\x08\xfe\xff\xff\xff\x0f\x10\xfe\xff\xff\xff\x0f"},
		{0, 0, Inheritance{recorded: true, gid: 8}, "\x08\xff\xff\xff\xff\x0f"}, // 0 in earnest where 8 would be inherited
		{5, 0, Inheritance{recorded: true, gid: 8}, "\x08\x05"},
	} {
		for _, mode := range []uint32{unix.S_IFREG | 0o4755, unix.S_IFDIR | 0o2750} {
			h := open(t, dir, fmt.Sprintf("%d-%o", i, mode), mode)
			want := layers.Member{Mode: mode, UID: c.uid, GID: c.gid, ModTime: time.Unix(1655337600, 123456789)}
			for range 2 { // again, on what is there
				done, err := Apply(h, &want, c.in, true)
				if err != nil || len(done.Lost) != 0 {
					t.Fatalf("%+v: lost %q, %v", c, done.Lost, err)
				}
			}
			record, _, err := h.Xattr(layers.XattrOwner)
			if err != nil || string(record) != c.record {
				t.Errorf("%d:%d: record %q, %v, want %q", c.uid, c.gid, record, err, c.record)
			}
			m := meta(t, h)
			m.Inherit(c.in)
			if m.UID != c.uid || m.GID != c.gid || m.Mode != mode || !m.ModTime.Equal(want.ModTime) || m.Disk.Stat.Uid != 0 {
				t.Errorf("%+v, want %+v", m, want)
			}
		}
	}
	// An owner that needs none takes the record away.
	h := open(t, dir, "given back", unix.S_IFREG)
	for _, uid := range []uint32{7, 0} {
		if _, err := Apply(h, &layers.Member{Mode: unix.S_IFREG, UID: uid}, Inheritance{}, true); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := h.Xattr(layers.XattrOwner); ok || err != nil {
		t.Errorf("the record is still there: %v", err)
	}
	if err := h.SetXattr(layers.XattrOwner, []byte("\xff")); err != nil {
		t.Fatal(err)
	}
	st, err := StatAt(h.Dir, h.Name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMeta(h, &st); err == nil {
		t.Error("a record that makes no sense is no error")
	}
}

// TestInheritance: what is made in a setgid directory whose group is recorded has that group, unless it says otherwise.
func TestInheritance(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	h := open(t, root(t), "mail", unix.S_IFDIR)
	if _, err := Apply(h, &layers.Member{Mode: unix.S_IFDIR | 0o2775, GID: 8}, Inheritance{}, true); err != nil {
		t.Fatal(err)
	}
	in := meta(t, h).PassesOn()
	if !in.recorded || in.gid != 8 {
		t.Fatalf("%+v", in)
	}
	made := open(t, h.FD, "made", unix.S_IFREG)
	m := meta(t, made)
	m.Inherit(in)
	if m.GID != 8 {
		t.Errorf("group %d", m.GID)
	}
	if err := made.SetXattr(layers.XattrOrigin, []byte("x")); err != nil { // copied up
		t.Fatal(err)
	}
	m = meta(t, made)
	m.Inherit(in)
	if m.GID != 0 || len(m.Disk.Extra) != 1 {
		t.Errorf("copied up: group %d, %q", m.GID, m.Disk.Extra)
	}
}

// TestXattrRecords: what the kernel refuses is kept beside the file and given back.
func TestXattrRecords(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	h := open(t, dir, "f", unix.S_IFREG)
	caps := "\x01\x00\x00\x02\x00\x20" + string(make([]byte, 14))
	want := map[string]string{
		"user.note": "a\x00b", "user.empty": "", "trusted.note": "t", "security.selinux": "label", "security.capability": caps, "system.nothing": "x",
		"system.posix_acl_access": "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\x07\x00\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x04\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff",
	}
	done, err := Apply(h, &layers.Member{Mode: unix.S_IFREG | 0o644, Xattrs: want}, Inheritance{}, true)
	if err != nil || len(done.Lost) != 0 {
		t.Fatalf("lost %q, %v", done.Lost, err)
	}
	if _, ok, err := h.Xattr(layers.XattrKept + "trusted.note"); !ok || err != nil {
		t.Errorf("no record of trusted.note: %v", err)
	}
	if m := meta(t, h); !SameMeta(m, &Meta{Member: layers.Member{Mode: unix.S_IFREG | 0o644, Xattrs: want}}) {
		t.Errorf("%q, want %q", m.Xattrs, want)
	}
	// Set for real since: that holds, and the record is superfluous.
	if err := h.SetXattr(layers.XattrKept+"user.note", []byte("old")); err != nil {
		t.Fatal(err)
	}
	if m := meta(t, h); m.Xattrs["user.note"] != "a\x00b" || len(m.Disk.Extra) != 1 {
		t.Errorf("%q, extra %q", m.Xattrs, m.Disk.Extra)
	}
	// Anew without any.
	if _, err := Apply(h, &layers.Member{Mode: unix.S_IFREG | 0o600}, Inheritance{}, true); err != nil {
		t.Fatal(err)
	}
	if m := meta(t, h); len(m.Xattrs) != 0 || len(m.Disk.Extra) != 0 {
		t.Errorf("left over: %q, %q", m.Xattrs, m.Disk.Extra)
	}
	done, err = Apply(open(t, dir, "l", unix.S_IFLNK), &layers.Member{Mode: unix.S_IFLNK | 0o777, Xattrs: map[string]string{"user.x": "x"}}, Inheritance{}, true)
	if err != nil || len(done.Lost) != 1 || done.Lost[0] != "xattr user.x" {
		t.Errorf("a link: lost %q, %v", done.Lost, err)
	}
}

// TestStandIns: an empty file stands for a device as long as nothing is written to it.
func TestStandIns(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	for i, value := range []string{"c 5 1", "b 4095 1048575", "c 0 0", "", "c", "x 1 2", "c 4096 0", "b 1 1048576", "c -1 2", "c 1 2 3"} {
		h := open(t, dir, fmt.Sprint(i), unix.S_IFREG)
		if err := h.SetXattr(layers.XattrDevice, []byte(value)); err != nil {
			t.Fatal(err)
		}
		m := meta(t, h)
		if i < 3 != m.IsDevice() || m.IsDevice() && StandIn(&m.Member) != value || m.IsDevice() == (len(m.Disk.Extra) > 0) {
			t.Errorf("%q: %#o %d:%d, extra %q", value, m.Mode, m.Major, m.Minor, m.Disk.Extra)
		}
	}
	h := open(t, dir, "written", unix.S_IFREG)
	if err := h.SetXattr(layers.XattrDevice, []byte("c 1 3")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("/proc/self/fd", fmt.Sprint(dir), "written"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m := meta(t, h); m.IsDevice() || m.Size != 1 {
		t.Errorf("%#o of %d bytes", m.Mode, m.Size)
	}
}
