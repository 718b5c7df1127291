package inode

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// TestModes: a directory that its owner could not empty is recorded, shown as it is, and what is done to it since holds.
func TestModes(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	for i, c := range []struct{ mode, disk, chmod, then uint32 }{
		{0o555, 0o1755, 0, 0o555},
		{0o1555, 0o1755, 0, 0o1555},
		{0, 0o1700, 0o755, 0o755},
		{0o2070, 0o3770, 0o2070, 0o2070}, // set again, to what it was
		{0o555, 0o1755, 0o1777, 0o1777},
		{0o1777, 0o1777, 0, 0o1777},
		{0o700, 0o700, 0o500, 0o500},
	} {
		name := fmt.Sprint(i)
		h := open(t, dir, name, unix.S_IFDIR)
		for range 2 {
			if _, err := Apply(h, &layers.Member{Mode: unix.S_IFDIR | c.mode, ModTime: time.Unix(1, 0)}, Inheritance{}, true); err != nil {
				t.Fatal(err)
			}
		}
		seen := func(what string, disk, want uint32) {
			t.Helper()
			p, st := byFD(t, dir, name)
			if st.Mode&0o7777 != disk {
				t.Errorf("%s: %#o on the disk, want %#o", what, st.Mode&0o7777, disk)
			}
			m := meta(t, h)
			if changed, err := ReadBack(p, &st, Inheritance{}); err != nil || changed != (disk != want) || st.Mode != unix.S_IFDIR|want || m.Mode != st.Mode {
				t.Errorf("%s: read back %#o and %#o, %v, want %#o", what, st.Mode, m.Mode, err, want)
			}
			if due := disk&0o700 != 0o700; m.NeedsMode() != due {
				t.Errorf("%s: a record is due: %v, want %v", what, m.NeedsMode(), due)
			}
		}
		seen(fmt.Sprintf("%#o", c.mode), c.disk, c.mode)
		if c.chmod == 0 {
			continue
		}
		if err := unix.Fchmodat(dir, name, c.chmod, 0); err != nil {
			t.Fatal(err)
		}
		seen(fmt.Sprintf("%#o, then %#o", c.mode, c.chmod), c.chmod, c.then)
	}
	for _, record := range []string{"", "x", "755", "-1", "10555", "444"} { // on 01755
		if mode, ok := parseMode(unix.S_IFDIR|0o1755, record); ok || mode != unix.S_IFDIR|0o1755 {
			t.Errorf("record %q: %#o", record, mode)
		}
	}
}

// TestReadBack: what stat(2) says of every kind of file is what is recorded.
func TestReadBack(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	dir := root(t)
	for _, name := range everyKind(t, dir) {
		h, st := byFD(t, dir, name)
		was := st
		if changed, err := ReadBack(h, &st, Inheritance{}); changed || err != nil || st != was {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
		if err := Chown(h, &st, 1000, NoID, AnyDirectory()); err != nil {
			t.Fatal(err)
		}
		if changed, err := ReadBack(h, &st, Inheritance{recorded: true, gid: 8}); !changed || err != nil || st.Uid != 1000 || st.Gid != 8 || st.Mode != was.Mode {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
	}
	h, st := byFD(t, dir, "file")
	if err := RecordDevice(h, unix.S_IFBLK, 7, 300); err != nil {
		t.Fatal(err)
	}
	if changed, err := ReadBack(h, &st, Inheritance{}); !changed || err != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK || st.Rdev != unix.Mkdev(7, 300) {
		t.Errorf("a device: %+v, %v", st, err)
	}
}
