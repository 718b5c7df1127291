package tree

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// TestGoldenCapture: the bytes of a captured layer, in every tier. The script changes something of every kind.
func TestGoldenCapture(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low := newDir(t, "low")
		if _, err := Unpack(t.Context(), bytes.NewReader(testutil.GoldenTar(t, true)), low, UnpackOptions{}); err != nil {
			t.Fatal(err)
		}
		o := mountOverlay(t, low)
		o.run(t, `
			mkdir -p a/b 'n/ä ö'; chmod 2755 a; echo new > a/new; ln a/new a/b/link; ln -s ../new a/b/symlink; : > a/empty
			echo long > "n/$(printf '%0200d' 0)"; echo u > 'n/ä ö/ü'; dd if=/dev/zero of=n/zeros bs=65536 count=32 2>/dev/null; echo end >> n/zeros
			touch -d @1000.25 a/new; touch -h -d @12345 a/b/symlink; mkfifo -m 0622 n/fifo; chmod 1777 n
			rm usr/old; rm -r etc/acl.d; mkdir etc/acl.d; echo x > etc/acl.d/new; rm -r dev; echo file > dev
			mv usr/fraction usr/moved; ln usr/big usr/big2; chmod 700 usr/nobody; echo x >> etc/shadow; touch usr/bin/su
			chmod u-s usr/bin/su; echo mail > var/mail/new; mkdir var/mail/sub; rm lib; ln -s usr/lib64 lib; touch etc/xattrs etc/acl`)
		for name, value := range map[string]string{"user.note": "new\x00", "security.capability": "\x01\x00\x00\x02\x00\x04" + string(make([]byte, 14))} {
			if err := unix.Setxattr(filepath.Join(o.merged, "a/empty"), name, []byte(value), 0); err != nil {
				t.Fatal(err)
			}
		}
		o.unmount(t)
		var b bytes.Buffer
		if _, err := Capture(t.Context(), &b, o.upper, o.lowers, CaptureOptions{Epoch: epoch}); err != nil {
			t.Fatal(err)
		}
		testutil.Golden(t, "layer-captured", digest.FromBytes(b.Bytes()))
	})
}
