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
			if mode, err := ModeOf(p, st.Mode); err != nil || mode != unix.S_IFDIR|want || m.Mode != mode {
				t.Errorf("%s: read back %#o and %#o, %v, want %#o", what, mode, m.Mode, err, want)
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
