package squashfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// judged are the filesystems that every foreign reader must see as they were meant, for blocks of bs bytes.
func judged(bs int) map[string][]item {
	return map[string][]item{
		"zoo": zoo(bs), "empty": nil, "many": manyFiles(bs),
		"one-empty-file": {data("f", nil)}, "one-byte": {data("f", []byte("x"))},
		"one-hole": {data("f", make([]byte, 3*bs))}, "one-block": {data("f", random(1, bs))},
	}
}

// TestJudges lets the kernel, unsquashfs and squashfuse read what was written.
func TestJudges(t *testing.T) {
	judges := []struct {
		name  string
		check func(t *testing.T, image string, want map[string]facts)
	}{{"kernel", judgeKernel}, {"unsquashfs", judgeUnsquashfs}, {"squashfuse", judgeSquashfuse}}
	for name, items := range judged(testBlock()) {
		for _, c := range []string{compressGzip, compressZstd, compressXz} {
			if c == compressXz && name == "many" {
				continue // slow, and no different
			}
			t.Run(name+"-"+c, func(t *testing.T) {
				o := Options{Compression: c, ModTime: day, blockSize: testBlock()}
				image, want := build(t, o, items...), expect(t, o, items...)
				for _, j := range judges {
					t.Run(j.name, func(t *testing.T) { j.check(t, image, want) })
				}
			})
		}
	}
}

func judgeKernel(t *testing.T, image string, want map[string]facts) {
	testutil.NeedRoot(t)
	sameFacts(t, "kernel", diskFacts(t, mount(t, image)), want, nil)
}

func judgeUnsquashfs(t *testing.T, image string, want map[string]facts) {
	testutil.NeedRoot(t)
	testutil.Need(t, "unsquashfs")
	out := filepath.Join(t.TempDir(), "out")
	testutil.Run(t, "unsquashfs", "-no-progress", "-quiet", "-dest", out, image)
	sameFacts(t, "unsquashfs", diskFacts(t, out), want, nil)
	if s := testutil.Run(t, "unsquashfs", "-stat", image); !strings.Contains(s, "exportable") || !strings.Contains(s, "Duplicates are removed") {
		t.Errorf("superblock flags:\n%s", s)
	}
}

// TestUnsquashfsLists works for any user: names, types, owners, sizes and times.
func TestUnsquashfsLists(t *testing.T) {
	testutil.Need(t, "unsquashfs")
	image := build(t, Options{level: 1}, zoo(defaultBlockSize)...)
	var list []string
	for line := range strings.SplitSeq(testutil.Run(t, "unsquashfs", "-no-progress", "-lln", image), "\n") {
		list = append(list, strings.Join(strings.Fields(line), " "))
	}
	// Version 4.5 prints device numbers beyond 255 wrong, and makes the right device.
	for _, line := range []string{
		"crw-rw-rw- 0/0 1, 3 2022-06-16 12:34 squashfs-root/dev/null",
		"-rwsr-sr-x 4294967294/65534 0 2106-02-07 06:28 squashfs-root/setuid",
		"lrwxrwxrwx 0/0 15 2022-06-16 12:34 squashfs-root/link -> usr/share/../ü",
		"-rw-r--r-- 0/0 131073 2022-06-16 12:34 squashfs-root/edge+1",
	} {
		if !slices.Contains(list, line) {
			t.Errorf("unsquashfs does not print %q in\n%s", line, strings.Join(list, "\n"))
		}
	}
	if cat := testutil.Run(t, "unsquashfs", "-no-progress", "-cat", image, "edge+1"); cat != string(prose(4, defaultBlockSize+1)) {
		t.Errorf("unsquashfs -cat gives other data")
	}
}

// userXattrs finds the part of a fact about xattrs that is about user attributes.
var userXattrs = regexp.MustCompile(`(user\.\S+ )+`)

func judgeSquashfuse(t *testing.T, image string, want map[string]facts) {
	testutil.Need(t, "squashfuse", "fusermount3")
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); errors.Is(err, fs.ErrPermission) {
		testutil.NeedRoot(t)
		testutil.SkipOrFail(t, "/dev/fuse: %v", err)
	} else if err != nil {
		testutil.SkipOrFail(t, "/dev/fuse: %v", err)
	} else {
		f.Close()
	}
	at := t.TempDir()
	testutil.Run(t, "squashfuse", image, at)
	defer testutil.Run(t, "fusermount3", "-u", at)
	sameFacts(t, "squashfuse", diskFacts(t, at), want, func(f *facts) {
		// squashfuse lists trusted attributes as security ones, and then does not find them.
		// It numbers the names of a file one by one.
		f.Same = ""
		f.Xattrs = userXattrs.FindString(f.Xattrs)
	})
}

// zeros with something in it now and then, as long as one likes.
type sparseReader struct{ pos, size int64 }

const sparseStep = 700 << 20

func (s *sparseReader) Read(p []byte) (int, error) {
	if s.pos == s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.size-s.pos))
	clear(p[:n])
	for at := (s.pos + sparseStep - 1) / sparseStep * sparseStep; at < s.pos+int64(n); at += sparseStep {
		p[at-s.pos] = byte(1 + at/sparseStep)
	}
	s.pos += int64(n)
	return n, nil
}

// TestHuge writes a file of more than 4 GiB, most of it holes, and reads it back.
func TestHuge(t *testing.T) {
	testutil.Long(t, "writes and reads several GiB of zeros")
	const size = 4<<30 + 12345
	image := buildWith(t, Options{Compression: compressZstd}, func(w *Writer) {
		if err := w.Add(file("huge", size), &sparseReader{size: size}); err != nil {
			t.Fatal(err)
		}
	})
	st, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() > 64<<10 {
		t.Errorf("holes take %d bytes", st.Size())
	}
	f, err := open(t, image).lookup("huge")
	if err != nil {
		t.Fatal(err)
	}
	if f.Size != size || f.sparse < size-10*defaultBlockSize {
		t.Errorf("size %d, holes %d", f.Size, f.sparse)
	}
	sameData(t, f.Data(), &sparseReader{size: size})
	if os.Geteuid() != 0 {
		return
	}
	k, err := os.Open(filepath.Join(mount(t, image), "huge"))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	var us unix.Stat_t
	if err := unix.Fstat(int(k.Fd()), &us); err != nil {
		t.Fatal(err)
	}
	if us.Size != size || us.Blocks*512 > 10*defaultBlockSize {
		t.Errorf("the kernel counts %d bytes, %d of them stored", us.Size, us.Blocks*512)
	}
	for _, at := range []int64{0, sparseStep, 5 * sparseStep, 6*sparseStep - 1, 4<<30 - 1, size - 100000} {
		part := min(int64(300000), size-at)
		sameData(t, io.NewSectionReader(k, at, part), io.LimitReader(&sparseReader{pos: at, size: size}, part))
	}
}

// sameData compares two streams.
func sameData(t testing.TB, got, want io.Reader) {
	t.Helper()
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for pos := 0; ; {
		n, gerr := io.ReadFull(got, a)
		m, werr := io.ReadFull(want, b)
		if n != m || !bytes.Equal(a[:n], b[:m]) || !errors.Is(gerr, werr) {
			t.Fatalf("other data at %d: %d bytes and %d, %v and %v", pos, n, m, gerr, werr)
		}
		if gerr != nil {
			return
		}
		pos += n
	}
}

// TestBigDirectory has 100,000 names in one directory, of which the kernel must find each by its index.
func TestBigDirectory(t *testing.T) {
	notUnderRace(t)
	n := 20_000
	if testutil.IsLong() {
		n = 100_000
	}
	name := func(i int) string { return fmt.Sprintf("%s-%d", []string{"a", "package", "ünï"}[i%3], i*7919%n) }
	image := buildWith(t, Options{}, func(w *Writer) {
		for i := range n {
			if err := w.Add(Entry{Path: "big/" + name(i), Mode: modeFile | 0o644}, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
	r := open(t, image)
	if err := r.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	big, err := r.lookup("big")
	if err != nil {
		t.Fatal(err)
	}
	if int(big.indexed) < n/600 {
		t.Errorf("an index of %d entries", big.indexed)
	}
	for i := range n {
		if i%97 == 0 {
			if _, err := r.lookup("big/" + name(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := exec.LookPath("unsquashfs"); err == nil {
		if got := strings.Count(testutil.Run(t, "unsquashfs", "-no-progress", "-ls", image), "\n"); got != n+2 {
			t.Errorf("unsquashfs lists %d names", got)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	at := mount(t, image)
	names, err := os.ReadDir(filepath.Join(at, "big"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != n {
		t.Errorf("the kernel lists %d names", len(names))
	}
	// Reading the directory filled the kernel's name cache; mounted anew, it must look up.
	again := mount(t, image)
	for _, i := range rand.Perm(n)[:n/20] {
		if _, err := os.Lstat(filepath.Join(again, "big", name(i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, no := range []string{"0", "a-", "b", "package-100000", "zzz", "ünï"} {
		if _, err := os.Lstat(filepath.Join(again, "big", no)); !os.IsNotExist(err) {
			t.Errorf("%q: %v", no, err)
		}
	}
}

// TestManyIDs fills the id table, which the kernel must then read.
func TestManyIDs(t *testing.T) {
	notUnderRace(t)
	image := buildWith(t, Options{}, func(w *Writer) {
		for i := range uint32(maxIDs) - 1 {
			if err := w.Add(Entry{Path: fmt.Sprintf("%d", i), Mode: modeFile | 0o600, UID: i + 1, GID: i}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Add(Entry{Path: "over", Mode: modeFile, UID: 1 << 20}, nil); !isLimit(err) {
			t.Errorf("one id too many: %v", err)
		}
	})
	r := open(t, image)
	if err := r.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := r.lookup("65000")
	if err != nil || f.UID != 65001 || f.GID != 65000 {
		t.Errorf("%+v, %v", f, err)
	}
	if os.Geteuid() == 0 {
		var st syscall.Stat_t
		if err := syscall.Lstat(filepath.Join(mount(t, image), "65533"), &st); err != nil || st.Uid != 65534 || st.Gid != 65533 {
			t.Errorf("%+v, %v", st, err)
		}
	}
}

// TestMillion writes 1,000,000 entries and has the kernel count them.
func TestMillion(t *testing.T) {
	testutil.Long(t, "writes a million entries")
	const n = 1_000_000
	begin := time.Now()
	image := buildWith(t, Options{}, func(w *Writer) {
		for i := range n {
			b := fmt.Appendf(nil, "content of file %d", i)
			if err := w.Add(file(fmt.Sprintf("d%d/e%d/file-%07d.txt", i/100_000, i/1000, i), int64(len(b))), bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Logf("peak of %d MiB after writing, which took %v", peakMiB(t), time.Since(begin))
	if err := open(t, image).Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return
	}
	out := testutil.Run(t, "find", mount(t, image), "-type", "f", "-name", "file-*.txt", "-size", "-2", "-printf", ".")
	if len(out) != n {
		t.Errorf("find counts %d", len(out))
	}
}

// peakMiB is the most memory that this process had.
func peakMiB(t testing.TB) int64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		t.Fatal(err)
	}
	return int64(ru.Maxrss) >> 10 //nolint:unconvert // int32 on 32-bit machines
}
