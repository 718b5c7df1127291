package conformance

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
	"xtoo/layers/inode"
	"xtoo/layers/merge"
	"xtoo/layers/tree"
	"xtoo/sif"
)

// A program writes archives of the directory it is started in, in several ways, and unpacks such an archive into the
// directory it is started in. What it makes of its own archives is what they say.
type program struct {
	name   string
	needs  []string // programs
	pack   []string // for sh, from the directory to standard output
	unpack string   // for sh, from standard input to the directory
	not    []string // paths of the tree that it cannot pack: removed before
	gate   string   // why the gate refuses its archives, which are of layers and not of stage3s
	// but names paths that are otherwise here, and why. A path that ends in a slash stands for what is below it.
	but map[string]string
	// view leaves out what the program does not restore.
	view testutil.View
}

const (
	gnuUnpack  = "tar --numeric-owner --xattrs --xattrs-include='*' --acls -xpf -"
	ownTime    = "it leaves the directory that it unpacks into its time"
	podman     = `t=$(mktemp -d) && p="podman --root $t/r --runroot $t/s --storage-driver vfs --cgroup-manager cgroupfs --events-backend none" && `
	clamps     = "it sets times before 1970 to 1970"
	twoRecords = "of the two records that it writes of an attribute whose name it encodes it makes two attributes"
)

var programs = []program{
	{
		name: "tar", needs: []string{"tar"}, unpack: gnuUnpack,
		pack: []string{
			"tar --format=pax --xattrs --xattrs-include='*' --acls -cf - .",
			"tar --format=gnu -cf - .", "tar --format=oldgnu -cf - .", "tar --format=pax -cf - .",
			"tar --format=pax --acls -cf - .",
			"tar --format=pax --xattrs --acls --selinux --numeric-owner -cf - .",
			"tar --format=gnu --sparse -cf - .", "tar --format=oldgnu --sparse -cf - .",
			"tar --sparse --sparse-version=0.0 --xattrs --acls -cf - .",
			"tar --sparse --sparse-version=0.1 --xattrs --acls -cf - .",
			"tar --sparse --sparse-version=1.0 --xattrs --acls -cf - .",
			"tar --sparse --hole-detection=raw -cf - .",
			"tar --format=gnu --mtime=@-1.5 -cf - .", "tar --format=pax --mtime=@-1.5 -cf - .",
			"tar --format=gnu --owner=:4294967294 --group=:2097152 --mtime=@9999999999 -cf - .",
			"tar --format=pax --pax-option=exthdr.name=%d/x,globexthdr.name=g,comment=c -cf - .",
			"tar --format=pax --pax-option=delete=atime,delete=ctime -cf - .",
			"tar --format=gnu -b 1 -cf - .", "tar --format=pax -V label -cf - .",
			"tar --hard-dereference -cf - .",
			"find . -print0 | sort -z | tar --null --no-recursion -T - -cf -",
			"tar -cf - -C d . -C .. dev names", "tar -cf - --transform='s,^\\./,,' ./d ./dev",
		},
	},
	{
		name: "bsdtar", needs: []string{"bsdtar"}, unpack: "bsdtar --numeric-owner --acls --xattrs -xpf -",
		pack: []string{
			"bsdtar --format=pax -cf - .", "bsdtar --format=pax --acls --xattrs -cf - .", "bsdtar --format=pax --no-acls --no-xattrs -cf - .",
			"bsdtar --format=gnutar -cf - .", "bsdtar --format=pax --read-sparse -cf - .",
			"bsdtar --format=pax --options=xattrheader=LIBARCHIVE --xattrs -cf - .",
			"bsdtar --format=pax --options=xattrheader=SCHILY --xattrs -cf - .",
			"bsdtar --format=pax --options=hdrcharset=BINARY -cf - .",
		},
		but: map[string]string{
			".":        ownTime,
			"fraction": "before 1970 it writes fractions of seconds with the wrong sign",
			"set":      twoRecords, "d/deep": twoRecords,
		},
	},
	{
		name: "busybox", needs: []string{"busybox"}, unpack: "busybox tar --numeric-owner -xpf -",
		pack: []string{"busybox tar -cf - .", "busybox tar -cf - d dev names"},
		but:  map[string]string{"odd link": "it does not restore owners of links"},
		view: testutil.View{Time: timesOfFiles},
	},
	{
		name: "pax", needs: []string{"pax"}, unpack: "pax -r -p e",
		pack: []string{"pax -w -x ustar ."},
		not:  []string{"deep", "long", "names", "largest", "large", "odd link"},
	},
	{
		name: "cpio", needs: []string{"cpio", "tar"}, unpack: gnuUnpack,
		pack: []string{"find . -depth -print0 | cpio --quiet -0 -o -H ustar", "find . -print0 | cpio --quiet -0 -o -H tar"},
	},
	{
		name: "python", needs: []string{"python3"},
		pack: []string{"python3 -c '" + python + "' PAX_FORMAT", "python3 -c '" + python + "' GNU_FORMAT"},
		unpack: `python3 -c 'import sys, tarfile
t = tarfile.open(fileobj=sys.stdin.buffer, mode="r|")
if hasattr(tarfile, "fully_trusted_filter"): # since 3.11.4
    t.extraction_filter = tarfile.fully_trusted_filter
t.extractall(numeric_owner=True)'`,
		view: testutil.View{Time: roundTimes},
	},
	{
		name: "sqfs2tar", needs: []string{"mksquashfs", "sqfs2tar", "tar"}, unpack: gnuUnpack,
		pack: []string{"t=$(mktemp) && mksquashfs . $t -noappend -quiet -no-progress >&2 && sqfs2tar $t; r=$?; rm $t; exit $r"},
	},
	{
		name: "umoci", needs: []string{"umoci"}, not: []string{"set"}, // it cannot write an attribute with "=" in its name
		but:  map[string]string{"x/largest": "it cannot set such a time"},
		gate: "the stream has no end",
		pack: []string{`t=$(mktemp -d) && umoci init --layout $t/l && umoci new --image $t/l:a && umoci insert --image $t/l:a "$PWD" /x &&
zcat $t/l/blobs/sha256/$(ls -S $t/l/blobs/sha256 | head -n 1); rm -r $t`},
		unpack: `t=$(mktemp -d) && cat > $t/in && umoci init --layout $t/l && umoci new --image $t/l:a && umoci raw add-layer --image $t/l:a $t/in &&
umoci unpack --image $t/l:a $t/b && cp -a $t/b/rootfs/. . && rm -r $t`,
	},
	{
		name: "podman", needs: []string{"podman", "skopeo", "umoci"}, not: []string{"set"}, // as umoci
		but: map[string]string{"x/early": clamps, "x/fraction": clamps, "x/largest": clamps}, // the last it has set to 1901 before
		pack: []string{podman + `printf 'FROM scratch\nCOPY . /x\n' > $t/f && $p build -q --isolation chroot --layers -t t:1 -f $t/f . >&2 &&
$p save -q --format oci-archive -o $t/o t:1 && tar -xf $t/o -C $t && zcat $t/blobs/sha256/$(ls -S $t/blobs/sha256 | head -n 1); rm -r $t`},
		unpack: podman + `cat > $t/in && umoci init --layout $t/l && umoci new --image $t/l:a && umoci raw add-layer --image $t/l:a $t/in &&
skopeo copy -q oci:$t/l:a docker-archive:$t/a:t:1 && $p load -q -i $t/a >&2 && cp -a $($p image mount t:1)/. . && $p image umount t:1 >&2 && rm -r $t`,
	},
}

// timesOfFiles is the Time of a view of programs that restore those of regular files alone.
func timesOfFiles(st *unix.Stat_t) string {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return ""
	}
	return testutil.Seconds(st)
}

// roundTimes is the Time of a view of programs that round them, and do not restore those of links.
func roundTimes(st *unix.Stat_t) string {
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return ""
	}
	return testutil.Seconds(st)
}

// ofSIF is what a SIF file has besides.
var ofSIF = []string{".singularity.d", ".exec", ".run", ".shell", ".test", "environment", "singularity", "dev", "proc", "root", "var", "tmp", "etc", "sys", "home"}

// TestPrograms: what is unpacked here, to a directory and to a SIF file, is what the program that wrote the archive unpacks.
func TestPrograms(t *testing.T) {
	testutil.NeedRoot(t)
	testutil.Need(t, "setfacl", "unsquashfs")
	judges := slices.Clone(programs)
	if !testutil.IsLong() { // the one archive that says most
		judges = judges[:1]
		judges[0].pack = judges[0].pack[:1]
	}
	for _, p := range judges {
		t.Run(p.name, func(t *testing.T) {
			testutil.Need(t, p.needs...)
			src := t.TempDir()
			awkward(t, src)
			for _, name := range p.not {
				testutil.Must(t, os.RemoveAll(filepath.Join(src, name)))
			}
			for _, pack := range p.pack {
				t.Run(pack, func(t *testing.T) {
					p.judge(t, []byte(testutil.Tool{Dir: src}.Run(t, "sh", "-c", pack)))
				})
			}
		})
	}
}

// judge compares what a program and what others here make of an archive.
func (p program) judge(t *testing.T, data []byte) {
	t.Helper()
	stream{name: p.name, data: data, gate: p.gate}.check(t)
	want, dir := t.TempDir(), t.TempDir()
	testutil.Tool{Dir: want, Stdin: bytes.NewReader(data)}.Run(t, "sh", "-c", p.unpack)
	if _, err := tree.Unpack(t.Context(), bytes.NewReader(data), dir, tree.UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	view := p.view
	if _, err := unix.Getxattr(dir, layers.XattrImplied, nil); err == nil {
		view.Skip = func(name string) bool { return name == "." } // nothing is said of it
	}
	p.compare(t, "layer directory", view, dir, want)
	inSIF := view
	inSIF.Xattr = func(name string) bool {
		return !strings.HasPrefix(name, "system.") && (p.view.Xattr == nil || p.view.Xattr(name))
	}
	inSIF.Time = func(st *unix.Stat_t) string {
		if p.view.Time != nil && p.view.Time(st) == "" {
			return ""
		}
		return fmt.Sprint(min(max(st.Mtim.Sec, 0), 1<<32-1))
	}
	p.compare(t, "SIF file", inSIF, squashed(t, data), want)
}

// compare compares two trees but for what is accounted for.
func (p program) compare(t *testing.T, what string, v testutil.View, dir, want string) {
	t.Helper()
	got, wanted := result(v.Dump(t, dir)), result(v.Dump(t, want))
	putBack(t, dir, got)
	for name := range union(got, wanted) {
		below := func(of string) bool { return of == name || strings.HasSuffix(of, "/") && strings.HasPrefix(name, of) }
		if got[name] == wanted[name] || slices.ContainsFunc(slices.Collect(maps.Keys(p.but)), below) {
			continue
		}
		if _, there := wanted[name]; !there && what == "SIF file" && slices.Contains(ofSIF, strings.SplitN(name, "/", 2)[0]) {
			continue
		}
		a, b := differ(got[name], wanted[name])
		t.Errorf("%s: %q\n here %s\n %s %s", what, name, a, p.name, b)
	}
}

// putBack gives files of a layer directory the owners that are recorded for them.
func putBack(t *testing.T, dir string, lines result) {
	t.Helper()
	fd, err := inode.OpenRoot(dir)
	testutil.Must(t, err)
	defer inode.CloseFD(fd)
	for name, line := range lines {
		if !strings.Contains(line, " "+layers.XattrOwner+"=") && withoutRecord(line) == line {
			continue
		}
		st, err := inode.StatAt(fd, name)
		testutil.Must(t, err)
		m, err := inode.ReadMeta(inode.Handle{Dir: fd, Name: name, FD: -1}, &st)
		testutil.Must(t, err)
		f := strings.SplitN(withoutRecord(line), " ", 3)
		line = fmt.Sprintf("%s %d:%d %s", f[0], m.UID, m.GID, f[2])
		if before, after, ok := strings.Cut(line, " "+layers.XattrOwner+"=\""); ok {
			_, after, _ = strings.Cut(strings.ReplaceAll(after, `\"`, `\'`), `"`)
			line = before + after
		}
		lines[name] = line
	}
}

// squashed returns what unsquashfs makes of a SIF file of an archive.
func squashed(t *testing.T, data []byte) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "sif"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	image := sif.Image{
		Layers: []merge.Layer{{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}},
		Config: v1.Image{Platform: v1.Platform{Architecture: "amd64", OS: "linux"}},
	}
	if err := sif.Write(t.Context(), f, image, sif.Options{}); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	c, err := sif.Open(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "unsquashed")
	testutil.Run(t, "unsquashfs", "-quiet", "-no-progress", "-offset", fmt.Sprint(c.Offset), "-dest", dir, f.Name())
	return dir
}

// differ cuts two lines to where they differ.
func differ(a, b string) (string, string) {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	cut := func(s string) string { return fmt.Sprintf("…%q", s[max(0, n-60):min(len(s), n+100)]) }
	return cut(a), cut(b)
}
