package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// A program writes archives of the directory it is started in, each of its commands in another way, and unpacks such
// an archive into the directory it is started in, with all that it knows how to restore.
type program struct {
	name   string
	pack   []string // for sh; to standard output
	unpack string   // for sh; from standard input
	// without names what the program cannot pack: paths of the source.
	without string
}

var programs = []program{
	{
		name: "tar",
		pack: []string{
			"tar --format=gnu -cf - .", "tar --format=oldgnu -cf - .", "tar --format=pax -cf - .",
			"tar --format=pax --xattrs --xattrs-include='*' --acls -cf - .",
			"tar --format=pax --xattrs --acls --selinux --numeric-owner -cf - .",
			"tar --format=gnu --sparse -cf - .", "tar --format=oldgnu --sparse -cf - .",
			"tar --sparse --sparse-version=0.0 --xattrs --acls -cf - .",
			"tar --sparse --sparse-version=0.1 --xattrs --acls -cf - .",
			"tar --sparse --sparse-version=1.0 --xattrs --acls -cf - .",
			"tar --sparse --hole-detection=raw -cf - .",
			"tar --format=gnu --mtime=@-1.5 -cf - .", "tar --format=pax --mtime=@-1.5 -cf - .",
			"tar --format=pax --mtime=@9999999999 -cf - .",
			"tar --format=gnu --owner=:4294967294 --group=:2097152 --mtime=@9999999999 -cf - .",
			"tar --format=pax --pax-option=exthdr.name=%d/x,globexthdr.name=g,comment=c -cf - .",
			"tar --format=gnu --incremental -cf - .",
			"tar --format=gnu -b 1 -cf - .", "tar --format=gnu -V label -cf - .", "tar --format=pax -V label -cf - .",
			"tar --hard-dereference -cf - .", "tar --sort=name --no-recursion -T names -cf - .",
		},
		unpack: "tar --numeric-owner --xattrs --xattrs-include='*' --acls -xpf -",
	},
	{
		name: "bsdtar",
		pack: []string{
			"bsdtar --format=pax -cf - .", "bsdtar --format=pax --acls --xattrs -cf - .", "bsdtar --format=restricted-pax --acls --xattrs -cf - .",
			"bsdtar --format=gnutar -cf - .", "bsdtar --format=pax --read-sparse -cf - .", "bsdtar --format=pax --options=xattrheader=ALL --xattrs -cf - .",
			"bsdtar --format=pax --options=xattrheader=LIBARCHIVE --xattrs -cf - .", "bsdtar --format=pax --options=hdrcharset=BINARY -cf - .",
		},
		unpack: "bsdtar --numeric-owner --acls --xattrs -xpf -",
	},
	{name: "busybox", pack: []string{"busybox tar -cf - ."}, unpack: "busybox tar --numeric-owner -xpf -"},
}

func TestPrograms(t *testing.T) {
	testutil.Long(t, "it has many programs pack and unpack a tree")
	testutil.NeedRoot(t)
	src := t.TempDir()
	awkward(t, src)
	for _, p := range programs {
		for _, pack := range p.pack {
			t.Run(pack, func(t *testing.T) {
				data, said, err := testutil.Tool{Dir: src}.Try(t, "sh", "-c", pack)
				if err != nil {
					t.Log(err, said)
				}
				p.judge(t, []byte(data))
			})
		}
	}
}

// judge unpacks a stream and has the program do it, too.
func (p program) judge(t *testing.T, data []byte) {
	t.Helper()
	dst := t.TempDir()
	_, said, err := testutil.Tool{Dir: dst, Stdin: bytes.NewReader(data)}.Try(t, "sh", "-c", p.unpack)
	if err != nil {
		t.Logf("%v: %s", err, said)
	}
	want := onDisk(t, dst)
	stream{name: p.name, data: data}.check(t)
	got, err := unpacked(t, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(union(got.files, want))) {
		if got.files[name] != want[name] {
			here, there := differ(got.files[name], want[name])
			t.Errorf("%q\n here %s\n %s %s", name, here, p.name, there)
			if name == "set" {
				t.Log(strings.ReplaceAll(got.files[name], "large", "L"))
			}
		}
	}
}

// onDisk reads a directory as it is.
func onDisk(t *testing.T, root string) result {
	t.Helper()
	type inode struct{ dev, ino uint64 }
	out, names := map[string]*found{}, map[inode][]string{}
	err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = strings.TrimPrefix(rel, ".")
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		f := &found{m: layers.Member{Mode: st.Mode, UID: st.Uid, GID: st.Gid, Size: st.Size, ModTime: time.Unix(st.Mtim.Unix())}}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(b)
			f.content = hex.EncodeToString(sum[:4])
		case unix.S_IFLNK:
			if f.m.Target, err = os.Readlink(name); err != nil {
				return err
			}
		case unix.S_IFCHR, unix.S_IFBLK:
			f.m.Major, f.m.Minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
		}
		if f.m.Xattrs, err = attributesOf(name); err != nil {
			return err
		}
		out[rel] = f
		if !f.m.IsDir() {
			id := inode{st.Dev, st.Ino}
			names[id] = append(names[id], rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{}
	for _, all := range names {
		for _, n := range all {
			if len(all) > 1 {
				of[n] = slices.Min(all)
			}
		}
	}
	lines := result{}
	for n, f := range out {
		lines[n] = line(&f.m, f.content, of[n])
	}
	return lines
}

func attributesOf(name string) (map[string]string, error) {
	buf := make([]byte, 1<<16)
	n, err := unix.Llistxattr(name, buf)
	if err != nil || n == 0 {
		return nil, err
	}
	all := map[string]string{}
	for _, a := range strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		value := make([]byte, 1<<16)
		n, err := unix.Lgetxattr(name, a, value)
		if err != nil {
			return nil, err
		}
		all[a] = string(value[:n])
	}
	return all, nil
}

// awkward fills a directory with all that archives may say of files.
func awkward(t *testing.T, root string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(root, name) }
	source(t, root)
	long := strings.Repeat("n", 255)
	edge := func(n int) string { return "e/" + strings.Repeat("m", n-2) }
	err := errors.Join(
		os.MkdirAll(in("dev"), 0o755),
		unix.Mknod(in("dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))),
		unix.Mknod(in("dev/sda"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 70000))),
		os.MkdirAll(in("e"), 0o1777),
		os.WriteFile(in(edge(99)), []byte("99"), 0o644), os.WriteFile(in(edge(100)), []byte("100"), 0o644), os.WriteFile(in(edge(101)), []byte("101"), 0o644),
		os.Symlink(strings.Repeat("t", 100), in("e/t100")), os.Symlink(strings.Repeat("t", 101), in("e/t101")), os.Symlink(strings.Repeat("t/", 2000), in("e/t4000")),
		os.MkdirAll(in("deep/"+long+"/"+long), 0o700),
		os.WriteFile(in("deep/"+long+"/"+long+"/"+long), []byte("deep"), 0o644),
		os.Link(in("deep/"+long+"/"+long+"/"+long), in("deep/link")),
		os.WriteFile(in("latin-\xe4\xf6\xfc"), []byte("latin"), 0o644),
		os.WriteFile(in("new\nline \\t \"quote\" *?[a]"), []byte("odd"), 0o644),
		os.WriteFile(in(" spaces "), []byte("spaces"), 0o644),
		os.WriteFile(in("=equals=\t"), []byte("="), 0o644),
		os.Symlink("targ\xffet\n", in("odd link")),
		os.Link(in("d/symlink"), in("d/symlink too")), os.Link(in("fifo"), in("fifo too")), os.Link(in("dev/null"), in("dev/null too")),
		os.WriteFile(in("set"), []byte("set"), 0o644), os.Lchown(in("set"), 1234, 5678), os.Chmod(in("set"), os.ModeSetuid|os.ModeSetgid|0o755),
		os.WriteFile(in("large ids"), []byte("ids"), 0o600), os.Lchown(in("large ids"), 4294967294, 2097152),
		os.WriteFile(in("nobody"), nil, 0), os.Lchown(in("nobody"), 2097151, 65534),
		os.Lchown(in("odd link"), 3000000, 100),
		os.WriteFile(in("old"), []byte("old"), 0o644), os.Chtimes(in("old"), time.Time{}, time.Unix(-86400, 250000000)),
		os.WriteFile(in("new"), []byte("new"), 0o644), os.Chtimes(in("new"), time.Time{}, time.Unix(1<<33+5, 999999999)),
		os.WriteFile(in("epoch"), []byte("epoch"), 0o644), os.Chtimes(in("epoch"), time.Time{}, time.Unix(0, 0)),
		os.WriteFile(in("capable"), []byte("capable"), 0o755),
		unix.Setxattr(in("capable"), "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0),
		unix.Setxattr(in("capable"), "trusted.note", []byte("t\x00\xff\n="), 0),
		unix.Setxattr(in("set"), "user.empty", nil, 0),
		unix.Setxattr(in("set"), "user.na=me %41 \xc3\xbc", []byte("x"), 0),
		unix.Setxattr(in("set"), "user.large", bytes.Repeat([]byte("large"), 500), 0),
	)
	if err != nil {
		t.Fatal(err)
	}
	testutil.Run(t, "setfacl", "-m", "u:1234:rwx,g:4000000:r,u:0:x", in("set"))
	testutil.Run(t, "setfacl", "-m", "d:u:1234:rwx,g:daemon:rx,u:daemon:r", in("d/deep"))
	var holes []string
	for i, pieces := range []int{0, 1, 3, 4, 5, 21, 26, 60} {
		name := in("e/holes" + string(rune('a'+i)))
		holes = append(holes, name)
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		for n := range int64(pieces) {
			if _, err := f.WriteAt([]byte(strings.Repeat(string(rune('0'+n)), 5000)), n*70_000); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			if err := f.Truncate(int64(pieces)*70_000 + 1<<20 + 3); err != nil {
				t.Fatal(err)
			}
		}
		testutil.Must(t, f.Close())
	}
	_ = holes
	names := testutil.Tool{Dir: root}.Run(t, "find", ".", "-depth", "!", "-name", "new\n*", "!", "-name", "=*")
	testutil.Must(t, os.WriteFile(in("names"), []byte(names), 0o644))
}

// differ cuts two lines to where they differ.
func differ(a, b string) (string, string) {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	cut := func(s string) string {
		return fmt.Sprintf("…%q", s[max(0, n-60):min(len(s), n+100)])
	}
	return cut(a), cut(b)
}
