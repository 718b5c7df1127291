package conformance

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// tools are programs that write tar, and how they write a directory to their output.
var tools = []struct {
	name    string
	command []string
}{
	{"GNU tar, its own format", []string{"tar", "--format=gnu", "-cf", "-", "."}},
	{"GNU tar, pax", []string{"tar", "--format=pax", "-cf", "-", "."}},
	{"GNU tar, xattrs and lists", []string{"tar", "--format=pax", "--xattrs", "--acls", "-cf", "-", "."}},
	{"GNU tar, holes", []string{"tar", "--format=gnu", "--sparse", "-cf", "-", "."}},
	{"GNU tar, holes in pax", []string{"tar", "--format=pax", "--sparse", "-cf", "-", "."}},
	{"GNU tar, holes in pax 0.1", []string{"tar", "--format=pax", "--sparse", "--sparse-version=0.1", "-cf", "-", "."}},
	{"GNU tar, ustar without long names", []string{"tar", "--format=ustar", "--exclude=long", "-cf", "-", "."}},
	{"GNU tar, the oldest format", []string{"tar", "--format=v7", "--exclude=long", "--exclude=fifo", "-cf", "-", "."}},
	{"GNU tar, names of directories last", []string{"tar", "-cf", "-", "d/file", "d/deep", "file"}},
	{"bsdtar, pax", []string{"bsdtar", "--format=pax", "-cf", "-", "."}},
	{"bsdtar, xattrs", []string{"bsdtar", "--format=pax", "--xattrs", "-cf", "-", "."}},
	{"bsdtar, GNU", []string{"bsdtar", "--format=gnutar", "-cf", "-", "."}},
	{"bsdtar, ustar", []string{"bsdtar", "--format=ustar", "--exclude=long", "-cf", "-", "."}},
	{"busybox", []string{"busybox", "tar", "-cf", "-", "."}},
	{"python, pax", []string{"python3", "-c", python, "PAX_FORMAT"}},
	{"python, GNU", []string{"python3", "-c", python, "GNU_FORMAT"}},
}

const python = `import sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=getattr(tarfile, sys.argv[1])) as t: t.add(".")`

// TestConformanceOfTools sends what programs write of a directory through all users.
func TestConformanceOfTools(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	src := t.TempDir()
	source(t, src)
	for _, tool := range tools {
		t.Run(tool.name, func(t *testing.T) {
			testutil.Need(t, tool.command[0])
			cmd := exec.CommandContext(t.Context(), tool.command[0], tool.command[1:]...)
			cmd.Dir = src
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v: %s", err, errs.String())
			}
			members, err := read(t, out.Bytes())
			if err != nil || len(members) < 3 {
				t.Errorf("%d members, %v", len(members), err)
			}
			stream{name: tool.name, data: out.Bytes()}.check(t)
		})
	}
}

// source fills a directory with what programs have their own ways for.
func source(t *testing.T, root string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(root, name) }
	long := "long/" + strings.Repeat("n", 120) + "/" + strings.Repeat("ü", 100)
	err := errors.Join(
		os.MkdirAll(in("d/deep/er"), 0o755),
		os.MkdirAll(filepath.Dir(in(long)), 0o755),
		os.WriteFile(in("file"), []byte("file"), 0o640),
		os.WriteFile(in("d/file"), bytes.Repeat([]byte("x"), 1000), 0o600),
		os.WriteFile(in("d/deep/er/empty"), nil, 0o644),
		os.WriteFile(in(long), []byte("long"), 0o644),
		os.Symlink("../nowhere", in("d/symlink")),
		os.Symlink(strings.Repeat("t", 150), in("long/symlink")),
		os.Link(in("file"), in("d/hardlink")),
		os.Link(in(long), in("long/hardlink")),
		os.Chmod(in("d/deep"), 0o2711),
		os.WriteFile(in("holes"), []byte("begin"), 0o644),
		os.Truncate(in("holes"), 1<<20),
		unix.Mkfifo(in("fifo"), 0o622),
		unix.Setxattr(in("file"), "user.note", []byte("a note"), 0),
		unix.Setxattr(in("d"), "user.note", []byte{1, 2, 0xff}, 0),
		os.Chtimes(in("file"), time.Unix(1, 0), time.Unix(1655337600, 123456789)),
	)
	if err != nil {
		t.Fatal(err)
	}
}
