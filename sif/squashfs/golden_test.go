package squashfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// TestGoldenSquashfs: the bytes of a filesystem with everything in it, in each compression.
func TestGoldenSquashfs(t *testing.T) {
	t.Parallel()
	testutil.Golden(t, "squashfs-gzip", goldenSquashfs(t, compressGzip))
	testutil.Golden(t, "squashfs-zstd", goldenSquashfs(t, compressZstd))
	testutil.Golden(t, "squashfs-xz", goldenSquashfs(t, compressXz))
}

func goldenSquashfs(t *testing.T, compression string) digest.Digest {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), compression))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	day := time.Unix(1655382896, 0)
	w, err := NewWriter(FileOutput(f, 0), Options{Compression: compression, ModTime: day})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	add := func(e Entry, data string) {
		t.Helper()
		if e.ModTime.IsZero() {
			e.ModTime = day
		}
		e.Size = int64(len(data))
		if err := w.Add(e, strings.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	lines := new(strings.Builder) // several blocks of what compresses a little
	for i := range 60_000 {
		fmt.Fprintln(lines, i*i)
	}
	add(Entry{Path: ".", Mode: unix.S_IFDIR | 0o755}, "")
	add(Entry{Path: "dev/console", Mode: unix.S_IFCHR | 0o600, Major: 5, Minor: 1}, "")
	add(Entry{Path: "dev/big", Mode: unix.S_IFBLK | 0o660, GID: 6, Major: 4095, Minor: 1<<20 - 1}, "")
	add(Entry{Path: "dev/fifo", Mode: unix.S_IFIFO | 0o622}, "")
	add(Entry{Path: "lib", Mode: unix.S_IFLNK | 0o777, Target: "usr/lib", UID: 250, GID: 250}, "")
	add(Entry{Path: "tmp", Mode: unix.S_IFDIR | 0o1777, ModTime: time.Unix(-5, 0)}, "")
	add(Entry{Path: "usr/lines", Mode: unix.S_IFREG | 0o644}, lines.String())
	add(Entry{Path: "usr/copy", Mode: unix.S_IFREG | 0o600, UID: 1 << 31, GID: 65534}, lines.String())
	add(Entry{Path: "usr/zeros", Mode: unix.S_IFREG | 0o644}, "a"+string(make([]byte, 1<<20))+"z")
	add(Entry{Path: "usr/empty", Mode: unix.S_IFREG}, "")
	add(Entry{Path: "usr/ping", Mode: unix.S_IFREG | 0o4755, Xattrs: map[string]string{
		"security.capability": "\x01\x00\x00\x02\x00\x20" + string(make([]byte, 14)), "user.b": "", "user.a": strings.Repeat("a", 300), "trusted.t": "1",
	}}, "ping")
	add(Entry{Path: "usr/" + strings.Repeat("ü", 128), Mode: unix.S_IFREG | 0o644, ModTime: time.Unix(1<<33, 0)}, "long")
	for i := range 700 { // a directory with an index, and fragments that hold several files
		add(Entry{Path: fmt.Sprintf("usr/many/file-%04d", i*3%700), Mode: unix.S_IFREG | 0o644, UID: uint32(i % 5)}, strings.Repeat(fmt.Sprint(i, " "), i))
	}
	if err := w.Link("usr/ping6", "usr/ping"); err != nil {
		t.Fatal(err)
	}
	size, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return digest.FromBytes(data[:size])
}
