package squashfs

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

// TestForeign reads what mksquashfs 4.5.1 wrote: -b 4096 -nopad -all-time 0 -mkfs-time 0 of a directory
// with numbers (seq 1 3000), 20000 random bytes under two names and a link, a hole, devices, 700 names in
// one directory, and xattrs, one of them long enough to be stored out of line once it comes again.
func TestForeign(t *testing.T) {
	for _, c := range []string{compressGzip, compressZstd, compressXz} {
		r := open(t, "testdata/mksquashfs-"+c+".sqfs")
		if err := r.Verify(t.Context()); err != nil {
			t.Errorf("%s: %v", c, err)
		}
		if i := r.Info(); i.Compression != c || i.BlockSize != 4096 || !i.exportable {
			t.Errorf("%+v", i)
		}
		all := readFacts(t, r)
		if len(all) != 712 {
			t.Errorf("%s: %d entries", c, len(all))
		}
		attr := strings.Repeat("b", 500)
		for p, want := range map[string]facts{
			"d/e/c": {Major: 300, Minor: 70000, Links: 1}, "d/hard": {Links: 2, Same: "d/hard", Xattrs: xattrFact(map[string]string{"trusted.a": attr, "user.b": "c"})},
			"numbers": {Links: 1, Xattrs: xattrFact(map[string]string{"user.a": attr})}, "d/link": {Links: 1, Target: "numbers"},
		} {
			got := all[p]
			if got.Major != want.Major || got.Minor != want.Minor || got.Links != want.Links || got.Xattrs != want.Xattrs || got.Target != want.Target {
				t.Errorf("%s: %q: %+v", c, p, got)
			}
		}
		if all["rnd"].Data != all["rnd2"].Data || all["rnd"].Data == all["numbers"].Data {
			t.Errorf("%s: data is wrong", c)
		}
		if f, err := r.lookup("many/file-with-a-name-699"); err != nil || f.Links != 1 {
			t.Errorf("%s: %v", c, err)
		}
	}
}

// TestDamage changes and cuts a filesystem everywhere: errors, and nothing worse.
func TestDamage(t *testing.T) {
	notUnderRace(t)
	for _, c := range []string{compressGzip, compressZstd, compressXz} {
		b, err := os.ReadFile("testdata/mksquashfs-" + c + ".sqfs")
		if err != nil {
			t.Fatal(err)
		}
		step := 37
		if !testutil.IsLong() {
			step = 997
		}
		for i := 0; i < len(b); {
			for _, x := range []byte{0x01, 0x80, 0xff} {
				d := bytes.Clone(b)
				d[i] ^= x
				if r, err := NewReader(bytes.NewReader(d), int64(len(d))); err == nil {
					err = r.Verify(t.Context())
					if err != nil && !errors.Is(err, errFormat) {
						t.Errorf("%s: byte %d ^ %#x: %v", c, i, x, err)
					}
				} else if !errors.Is(err, errFormat) && !errors.Is(err, errUnsupported) {
					t.Errorf("%s: byte %d ^ %#x: %v", c, i, x, err)
				}
			}
			if i < superblockSize || i > len(b)-200 {
				i++
			} else {
				i += step
			}
		}
		for n := 0; n < len(b); n += 101 {
			if _, err := NewReader(bytes.NewReader(b[:n]), int64(n)); !errors.Is(err, errFormat) {
				t.Errorf("%s: cut at %d: %v", c, n, err)
			}
		}
	}
}
