package sif

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sylabs/sif/v2/pkg/sif"
	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers/merge"
	"xtoo/sif/squashfs"
)

// sample is an image with something of everything.
func sample(t testing.TB) Image {
	attrs := item{Header: tarHeader("usr/bin/ping", 0o4755), Data: "ELF"}
	attrs.Size = 3
	attrs.PAXRecords = map[string]string{
		"SCHILY.xattr.security.capability":     "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"SCHILY.xattr.user.note":               "binary \x00\xff",
		"LIBARCHIVE.xattr.user.other%20one":    "dmFsdWU",
		"LIBARCHIVE.xattr.user.note":           "YmluYXJ5IAD/",
		"SCHILY.xattr.system.posix_acl_access": "acl",
		"SCHILY.acl.access":                    "user::rw-",
		"SCHILY.xattr.user.rootlesscontainers": "kept",
	}
	owned := folder("home/u", 0o2750)
	owned.Uid, owned.Gid = 1<<32-2, 4000000000
	old := reg("old", "x")
	old.ModTime = time.Unix(-5, 0)
	long := strings.Repeat("nä me ", 34) // 238 bytes
	base := tarOf(t, folder("./", 0o755), folder("bin", 0o755), sym("bin/sh", "dash"), folder("usr", 0o755), folder("usr/bin", 0o755), attrs,
		folder("home", 0o755), owned, reg("home/u/"+long, "long"), folder("dev", 0o755), char("dev/console", 5, 1), char("dev/big", 4095, 1<<20-1),
		item{Header: blockHeader()}, item{Header: fifoHeader()}, old, reg("big", strings.Repeat("0123456789abcdef", 40000)),
		reg("singularity", "the image's own"), folder(".singularity.d", 0o700), reg(".singularity.d/mine", "x"), folder("tmp", 0o700))
	top := tarOf(t, folder("./", 0o711), reg("etc/motd", "hello"), folder("usr", 0o755), wh(".wh.missing"))
	created := testTime
	return Image{
		Layers: layersOf(top, base),
		Config: v1.Image{Created: &created, Platform: v1.Platform{Architecture: "arm64", OS: "linux"}, Config: v1.ImageConfig{
			Env:    []string{"PATH=/usr/bin:/bin", "NOTE=it's $HOME `id`"},
			Cmd:    []string{"/bin/sh", "-c", "echo $0"},
			Labels: map[string]string{"b": "2", "a": "1"},
		}},
		Definition: []byte("type: stage4\n"),
		labels:     map[string]string{"b": "two"},
		help:       "Help yourself.\n",
	}
}

func TestWriteContainer(t *testing.T) {
	path, info := writeSIF(t, sample(t), Options{})
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() != info.size || info.size != info.partitionOffset+info.partitionSize {
		t.Errorf("file of %d bytes, info %+v", st.Size(), info)
	}
	if info.droppedXattrs != 2 || info.clampedTimes != 1 {
		t.Errorf("info %+v, want 2 dropped xattrs and 1 clamped time", info)
	}
	img, err := sif.LoadContainerFromPath(path, sif.OptLoadWithFlag(os.O_RDONLY))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = img.UnloadContainer() }()
	if img.LaunchScript() != "#!/usr/bin/env run-singularity\n" || img.PrimaryArch() != "arm64" || img.Version() != "01" ||
		img.ID() != "00000000-0000-0000-0000-000000000000" || !img.CreatedAt().Equal(testTime) || !img.ModifiedAt().Equal(testTime) ||
		img.DescriptorsTotal() != 48 || img.DescriptorsFree() != 44 || img.DescriptorsOffset() != 4096 ||
		img.DataOffset() != 4096+48*585 || img.DataSize() != info.size-img.DataOffset() {
		t.Errorf("header: %q %s %s %s %v %v", img.LaunchScript(), img.PrimaryArch(), img.Version(), img.ID(), img.CreatedAt(), img.ModifiedAt())
	}
	type object struct {
		typ  sif.DataType
		name string
	}
	var got []object
	img.WithDescriptors(func(d sif.Descriptor) bool {
		got = append(got, object{d.DataType(), d.Name()})
		if d.Offset()%4096 != 0 || d.GroupID() != 1 || !d.CreatedAt().Equal(testTime) || !d.ModifiedAt().Equal(testTime) {
			t.Errorf("object %d: offset %d, group %d, times %v %v", d.ID(), d.Offset(), d.GroupID(), d.CreatedAt(), d.ModifiedAt())
		}
		return false
	})
	if want := fmt.Sprint([]object{{0x4001, ""}, {0x4006, "inspect-metadata.json"}, {0x4006, "oci-config.json"}, {0x4004, ""}}); fmt.Sprint(got) != want {
		t.Errorf("objects %v, want %v", got, want)
	}
	part, err := img.GetDescriptor(sif.WithPartitionType(sif.PartPrimSys))
	if err != nil {
		t.Fatal(err)
	}
	if fs, typ, arch, err := part.PartitionMetadata(); fs != sif.FsSquash || typ != sif.PartPrimSys || arch != "arm64" || err != nil {
		t.Errorf("partition %v %v %v %v", fs, typ, arch, err)
	}
	head := make([]byte, 4)
	if _, err := f.ReadAt(head, info.partitionOffset); err != nil || string(head) != "hsqs" || part.Offset() != info.partitionOffset || part.Size() != info.partitionSize {
		t.Errorf("partition begins with %q at %d: %v", head, info.partitionOffset, err)
	}

	c, err := Open(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	if c.Arch != "arm64" || string(c.Definition) != "type: stage4\n" || len(c.Objects) != 4 || c.Offset != info.partitionOffset || c.Partition.Size() != info.partitionSize {
		t.Errorf("opened: %s, definition %q, objects %+v", c.Arch, c.Definition, c.Objects)
	}
	fs, err := squashfs.NewReader(c.Partition, c.Partition.Size())
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	found := false
	if err := fs.Walk(func(f *squashfs.File) error { found = found || f.Path == "usr/bin/ping"; return nil }); err != nil || !found {
		t.Errorf("usr/bin/ping is there: %t, %v", found, err)
	}
	var m inspectMetadata
	if err := json.Unmarshal(c.Metadata, &m); err != nil {
		t.Fatal(err)
	}
	a := m.Data.Attributes
	if m.Type != "container" || a.Labels["a"] != "1" || a.Labels["b"] != "two" || a.Helpfile != "Help yourself.\n" || a.Deffile != "type: stage4\n" ||
		!strings.Contains(a.Runscript, "'/bin/sh' '-c' 'echo $0'") || !strings.Contains(a.Environment["/.singularity.d/env/10-docker2singularity.sh"], "PATH='/usr/bin:/bin'") {
		t.Errorf("metadata %s", c.Metadata)
	}
	var config v1.ImageConfig
	if err := json.Unmarshal(c.Config, &config); err != nil || len(config.Env) != 2 || len(config.Cmd) != 3 {
		t.Errorf("configuration %s: %v", c.Config, err)
	}
}

// The content of the filesystem, told by unsquashfs.
func TestWriteContent(t *testing.T) {
	testutil.NeedRoot(t)
	testutil.Need(t, "unsquashfs")
	path, info := writeSIF(t, sample(t), Options{})
	root := unsquash(t, path, info)
	var all []string
	for path, line := range (testutil.View{Time: testutil.Seconds}).Dump(t, root) {
		all = append(all, fmt.Sprintf("%q %s", path, line))
	}
	lines := strings.Join(all, "\n")
	for _, want := range []string{
		`"." 040711 0:0 1655337600`,
		`"usr/bin/ping" 0104755 0:0 1655337600 3 `,
		` security.capability="\x01\x00\x00\x02\x00 \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" user.note="binary \x00\xff" user.other one="value"`,
		`"home/u" 042750 4294967294:4000000000 1655337600`,
		`"dev/console" 020600 0:0 1655337600 5:1`,
		`"dev/big" 020600 0:0 1655337600 4095:1048575`,
		`"dev/loop0" 060660 0:6 1655337600 7:0`,
		`"pipe" 010644 0:0`,
		`"old" 0100644 0:0 0 1 2d711642`,
		`"bin/sh" 0120777 0:0 1655337600 -> dash`,
		`"singularity" 0120777 0:0 1655337600 -> .singularity.d/runscript`,
		`".run" 0120777 0:0 1655337600 -> .singularity.d/actions/run`,
		`".exec" 0120777 0:0 1655337600 -> .singularity.d/actions/exec`,
		`".shell" 0120777 0:0 1655337600 -> .singularity.d/actions/shell`,
		`".test" 0120777 0:0 1655337600 -> .singularity.d/actions/test`,
		`"environment" 0120777 0:0 1655337600 -> .singularity.d/env/90-environment.sh`,
		`".singularity.d" 040755 0:0 1655337600`,
		`".singularity.d/libs" 040755`,
		`".singularity.d/Singularity" 0100644`,
		`".singularity.d/labels.json" 0100644`,
		`".singularity.d/runscript.help" 0100644`,
		`".singularity.d/env/01-base.sh" 0100755`,
		`".singularity.d/env/10-docker2singularity.sh" 0100755`,
		`".singularity.d/env/90-environment.sh" 0100755`,
		`".singularity.d/env/95-apps.sh" 0100755`,
		`".singularity.d/env/99-base.sh" 0100755`,
		`".singularity.d/actions/start" 0100755`,
		`".singularity.d/runscript" 0100755`,
		`".singularity.d/startscript" 0100755`,
		`".singularity.d/test" 0100755`,
		`"tmp" 040700`, `"var/tmp" 041777`, `"proc" 040755`, `"sys" 040755`, `"root" 040700`, `"home" 040755`,
		`"etc" 040755`, `"etc/hosts" 0100644 0:0 1655337600 0 e3b0c442`, `"etc/resolv.conf" 0100644 0:0 1655337600 0 e3b0c442`, `"etc/motd" 0100644`,
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("lacks %s", want)
		}
	}
	for _, no := range []string{".singularity.d/mine", ".wh.", "posix_acl", "missing"} {
		if strings.Contains(lines, no) {
			t.Errorf("has %s", no)
		}
	}
	if labels, err := os.ReadFile(filepath.Join(root, ".singularity.d/labels.json")); err != nil || string(labels) != "{\n\t\"a\": \"1\",\n\t\"b\": \"two\"\n}\n" {
		t.Errorf("labels %q: %v", labels, err)
	}
}

// What Singularity needs is added around symbolic links and files of the image, which stay.
func TestCompleteKeepsTheImages(t *testing.T) {
	path, _ := writeSIF(t, Image{Layers: layersOf(tarOf(t, sym("tmp", "var/tmp"), sym("var", "usr/var"), folder("etc", 0o700), sym("etc/resolv.conf", "../run/resolv.conf"),
		wh(".wh.home"), reg("proc", "odd"), reg("sys/x", "x")), tarOf(t, folder("home", 0o755)))}, Options{})
	modes := modesIn(t, path)
	for name, mode := range map[string]uint32{"tmp": unix.S_IFLNK | 0o777, "var": unix.S_IFLNK | 0o777, "etc": unix.S_IFDIR | 0o700, "etc/resolv.conf": unix.S_IFLNK | 0o777,
		"etc/hosts": unix.S_IFREG | 0o644, "home": unix.S_IFDIR | 0o755, "proc": unix.S_IFREG | 0o644, "sys": unix.S_IFDIR | 0o755, ".": unix.S_IFDIR | 0o755} {
		if modes[name] != mode {
			t.Errorf("%q: mode %#o, want %#o", name, modes[name], mode)
		}
	}
	if _, ok := modes["var/tmp"]; ok {
		t.Error("var/tmp stands below a symbolic link")
	}
}

// modesIn are the modes of all that is in a SIF file.
func modesIn(t *testing.T, path string) map[string]uint32 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	fs, err := squashfs.NewReader(c.Partition, c.Partition.Size())
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]uint32{}
	if err := fs.Walk(func(f *squashfs.File) error { modes[f.Path] = f.Mode; return nil }); err != nil {
		t.Fatal(err)
	}
	return modes
}

// The bytes do not depend on the number of jobs, nor on the day, nor on what the file held before.
func TestWriteIsDeterministic(t *testing.T) {
	want := map[string]digest.Digest{}
	for _, compression := range []string{"gzip", "zstd", "xz"} {
		for _, jobs := range []int{1, 2, 7} {
			f, err := os.Create(filepath.Join(t.TempDir(), "x.sif"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(bytes.Repeat([]byte("rubbish"), jobs*300000)); err != nil {
				t.Fatal(err)
			}
			if err := Write(t.Context(), f, sample(t), Options{Compression: compression, Jobs: jobs}); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			got := digest.FromBytes(b)
			if want[compression] == "" {
				want[compression] = got
			}
			if got != want[compression] {
				t.Errorf("%s with %d jobs: other bytes", compression, jobs)
			}
		}
	}
	if want["gzip"] == want["zstd"] || want["zstd"] == want["xz"] {
		t.Error("compressions do not differ")
	}
}

func TestWriteArchitectures(t *testing.T) {
	codes := map[string]string{"386": "01", "amd64": "02", "arm": "03", "arm64": "04", "ppc64le": "06", "s390x": "11", "riscv64": "12", "loong64": "13"}
	for arch, code := range codes {
		path, _ := writeSIF(t, Image{Arch: arch}, Options{})
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b[45:47]); got != code {
			t.Errorf("%s: code %s, want %s", arch, got, code)
		}
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "x.sif"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(t.Context(), f, Image{Arch: "z80"}, Options{}); err == nil {
		t.Error("z80: no error")
	}
	if err := Write(t.Context(), f, Image{}, Options{}); err == nil {
		t.Error("no architecture: no error")
	}
	if err := Write(t.Context(), f, Image{Arch: "amd64", Layers: []merge.Layer{{}}}, Options{}); err == nil {
		t.Error("layer that cannot be opened: no error")
	}
	if err := Write(t.Context(), f, Image{Arch: "amd64"}, Options{Compression: "lzo"}); err == nil {
		t.Error("unknown compression: no error")
	}
}

// Hostile headers are refused before they reach the library.
func TestOpenRefuses(t *testing.T) {
	path, _ := writeSIF(t, sample(t), Options{})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(offset int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[offset:], v); return b }
	}
	for name, change := range map[string]func([]byte) []byte{
		"empty":                     func([]byte) []byte { return nil },
		"short":                     func(b []byte) []byte { return b[:100] },
		"magic":                     func(b []byte) []byte { b[32] = 'X'; return b },
		"version":                   func(b []byte) []byte { b[43] = '9'; return b },
		"negative count":            put(88, 1<<63),
		"enormous count":            put(88, 1<<40),
		"count unlike size":         put(88, 49),
		"descriptors in the header": put(96, 0),
		"descriptors behind":        put(96, 1<<40),
		"descriptors negative":      put(96, 1<<63),
		"object behind":             put(4096+4+1+12, 1<<50),
		"object negative":           put(4096+4+1+12, 1<<63),
		"object too large":          put(4096+4+1+12+8, 1<<50),
		"cut in the descriptors":    func(b []byte) []byte { return b[:5000] },
		"cut in the partition":      func(b []byte) []byte { return b[:len(b)-4096] },
	} {
		b := change(bytes.Clone(good))
		if _, err := Open(bytes.NewReader(b), int64(len(b))); !errors.Is(err, errFormat) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	path, info := writeSIF(f, Image{Layers: layersOf(tarOf(f, reg("a", "x")))}, Options{})
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[:info.partitionOffset+96])
	f.Add(good[:4096+600])
	f.Add(good[:128])
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, o := range c.Objects {
			if o.Offset < 0 || o.Size < 0 || o.Offset+o.Size > int64(len(b)) {
				t.Errorf("object %+v is not within %d bytes", o, len(b))
			}
		}
		if c.Partition != nil {
			if n, err := io.Copy(io.Discard, c.Partition); err != nil || n != c.Partition.Size() {
				t.Errorf("partition of %d bytes: read %d, %v", c.Partition.Size(), n, err)
			}
		}
	})
}
