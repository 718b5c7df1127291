package unpack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"xtoo/internal/testutil"
)

// listTar lists a tar as archive/tar reads it: one line a member, all that it says and a part of the
// contents.
func listTar(tb testing.TB, data []byte) []string {
	tb.Helper()
	var list []string
	for _, m := range testutil.ReadTar(tb, data) {
		list = append(list, fmt.Sprintf("%c %o %d:%d %d %s -> %s %.20q %v", m.Typeflag, m.Mode, m.Uid, m.Gid, m.Size, m.Name, m.Linkname, m.Data,
			m.PAXRecords["SCHILY.xattr.user.a"]))
	}
	return list
}

// names takes the names out of a tar.
func names(tb testing.TB, data []byte) string {
	tb.Helper()
	var all []string
	for _, l := range listTar(tb, data) {
		all = append(all, strings.Fields(l)[4])
	}
	return strings.Join(all, " ")
}

func reopenBytes(data []byte, opened *int) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) {
		*opened++
		return io.NopCloser(&dribble{r: bytes.NewReader(data)}), nil
	}
}

func TestCopyIdentity(t *testing.T) {
	data := sample(t)
	trailing := append(bytes.Clone(data), make([]byte, 9000*blockSize)...)
	for name, data := range map[string][]byte{"plain": data, "trailing zeros": trailing, "large": bigTar(t, 5)} {
		got, sum, err := copyAll(data, CopyOptions{})
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %v", name, err)
		}
		if sum.Bytes != int64(len(data)) || sum.Excluded != 0 {
			t.Errorf("%s: %+v", name, sum)
		}
	}
}

func TestSummary(t *testing.T) {
	elf := func(class, data byte, machine uint16, kind byte) string {
		b := make([]byte, 64)
		copy(b, "\x7fELF")
		b[4], b[5] = class, data
		if data == 1 {
			b[16], b[18], b[19] = kind, byte(machine), byte(machine>>8)
		} else {
			b[17], b[19], b[18] = kind, byte(machine), byte(machine>>8)
		}
		return string(b)
	}
	late := testutil.Day.Add(3 * time.Hour)
	data := testutil.Tar(t,
		testutil.File("./bin/sh", elf(2, 1, 183, 2)),
		testutil.File("usr/lib64/libc.so", elf(2, 1, 183, 3)).WithTime(late),
		testutil.File("usr/lib/aarch64-linux-gnu/libm.so", elf(2, 1, 183, 3)),
		testutil.File("usr/lib/x/y/plugin.so", elf(2, 1, 183, 3)),
		testutil.File("lib/firmware/blob", elf(1, 2, 8, 2)),
		testutil.File("lib/modules/a.ko", elf(2, 1, 183, 1)),
		testutil.File("bin/script", "#!/bin/sh"),
		testutil.File("bin/cut", "\x7fELF\x02\x01"),
		testutil.File("opt/late", elf(1, 1, 3, 2)).WithTime(late.Add(time.Hour)),
	)
	_, sum, err := copyAll(data, CopyOptions{Exclude: []string{"/opt/*", "/nothing", "/opt/late", "/**/none"}})
	if err != nil {
		t.Fatal(err)
	}
	arm := Machine{2, 1, 183}
	want := Summary{
		Newest: late, Latest: "usr/lib64/libc.so", Entries: 8, Bytes: int64(len(data)) - 1024, Excluded: 1, excludedBytes: 1024,
		UnusedExcludes:   []string{"/nothing", "/**/none"},
		Machines:         map[Machine]int{arm: 4, {1, 2, 8}: 1},
		StandardMachines: map[Machine]int{arm: 3},
	}
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("got  %+v\nwant %+v", sum, want)
	}
	if arm.String() != "ELF 64-bit little-endian machine 183" {
		t.Error(arm)
	}
}

func TestExclude(t *testing.T) {
	data := testutil.Tar(t, testutil.Dir("./"), testutil.Dir("./usr/"), testutil.Dir("./usr/src/"), testutil.Dir("./usr/src/linux-5/"),
		testutil.File("./usr/src/linux-5/a/b", strings.Repeat("b", 2<<20)), testutil.Symlink("./usr/src/linux", "linux-5"),
		testutil.File("./usr/src/.hidden", "h"), testutil.File("./z", "z"))
	all := "./ ./usr/ ./usr/src/ ./usr/src/linux-5/ ./usr/src/linux-5/a/b ./usr/src/linux ./usr/src/.hidden ./z"
	for pattern, left := range map[string]string{
		"/usr/src/linux-*":       "./ ./usr/ ./usr/src/ ./usr/src/linux ./usr/src/.hidden ./z",
		"/usr/src/linux-5":       "./ ./usr/ ./usr/src/ ./usr/src/linux ./usr/src/.hidden ./z",
		"/usr/src/linux-5/*":     "./ ./usr/ ./usr/src/ ./usr/src/linux-5/ ./usr/src/linux ./usr/src/.hidden ./z",
		"/usr/src/*":             "./ ./usr/ ./usr/src/ ./z",
		"/usr/*":                 "./ ./usr/ ./z",
		"/*":                     "./",
		"/**":                    "./",
		"/usr":                   "./ ./z",
		"/**/a":                  "./ ./usr/ ./usr/src/ ./usr/src/linux-5/ ./usr/src/linux ./usr/src/.hidden ./z",
		"/**/usr":                "./ ./z",
		"/usr/**/b":              "./ ./usr/ ./usr/src/ ./usr/src/linux-5/ ./usr/src/linux ./usr/src/.hidden ./z",
		"/usr/**":                "./ ./usr/ ./z",
		"/**/**/linux*":          "./ ./usr/ ./usr/src/ ./usr/src/.hidden ./z",
		"/[xyz]":                 "./ ./usr/ ./usr/src/ ./usr/src/linux-5/ ./usr/src/linux-5/a/b ./usr/src/linux ./usr/src/.hidden",
		"/[!xyz]":                all,
		"/[!xyz]*":               "./ ./z",
		"/src":                   all,
		"/usr/src/linux-5/a/b/c": all,
	} {
		got, sum, err := copyAll(data, CopyOptions{Exclude: []string{pattern}})
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if names(t, got) != left {
			t.Errorf("%s leaves %s\nwant %s", pattern, names(t, got), left)
		}
		if unused := len(sum.UnusedExcludes) == 1; unused != (left == all) {
			t.Errorf("%s: unused %v", pattern, sum.UnusedExcludes)
		}
		if sum.Bytes != int64(len(got)) || sum.Bytes+sum.excludedBytes != int64(len(data)) {
			t.Errorf("%s: %+v", pattern, sum)
		}
	}
}

func TestMalformedPatterns(t *testing.T) {
	for _, p := range []string{"", "usr", "/", "/usr/", "//usr", "/usr//src", "/./a", "/../a", "/a/..", "/a/[b", "/a\\", "/a**", "/**a/b", "/a\x00"} {
		if _, err := compileExclude([]string{"/good", p}); !errors.Is(err, errPattern) {
			t.Errorf("%q: %v", p, err)
		}
		if _, _, err := copyAll(nil, CopyOptions{Exclude: []string{p}}); !errors.Is(err, errPattern) {
			t.Errorf("%q: %v", p, err)
		}
	}
	if _, err := compileExclude([]string{"/usr/src/linux-*", "/lib/modules/*", "/**/[!a]?\\*"}); err != nil {
		t.Error(err)
	}
}

// TestRelink excludes files that have other names.
func TestRelink(t *testing.T) {
	link := testutil.Link
	body := strings.Repeat("contents ", 1000)
	withAll := func(name string) testutil.Member {
		return testutil.File(name, body).WithOwner(250, 0).WithMode(0o4755).WithXattr("user.a", "v")
	}
	data := testutil.Tar(t,
		testutil.Dir("./out/"), withAll("./out/one"), testutil.File("./out/two", "two"),
		testutil.File("./kept", "kept"), link("./out/kept2", "./kept"),
		link("./b/second", "./out/two"), // read again out of order
		link("./b/first", "./out/one"), link("./out/again", "./out/one"), link("./b/third", "./out/again"),
		link("./b/fourth", "./b/first"), link("./b/kept3", "./out/kept2"),
		testutil.File("./end", ""))
	opened := 0
	got, sum, err := copyAll(data, CopyOptions{Exclude: []string{"/out"}, Reopen: reopenBytes(data, &opened)})
	if err != nil {
		t.Fatal(err)
	}
	want := listTar(t, testutil.Tar(t, testutil.File("./kept", "kept"), testutil.File("./b/second", "two"), withAll("./b/first"),
		link("./b/third", "./b/first"), link("./b/fourth", "./b/first"), link("./b/kept3", "./kept"), testutil.File("./end", "")))
	if list := listTar(t, got); !slices.Equal(list, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(list, "\n"), strings.Join(want, "\n"))
	}
	if sum.relinked != 4 || sum.Entries != 7 || sum.Excluded != 5 || sum.Bytes != int64(len(got)) || opened != 2 {
		t.Errorf("opened %d times, %+v", opened, sum)
	}
	if again, _, err := copyAll(got, CopyOptions{}); err != nil || !bytes.Equal(again, got) {
		t.Errorf("the result is refused: %v", err)
	}
	if _, _, err := copyAll(data, CopyOptions{Exclude: []string{"/out"}}); err == nil || !strings.Contains(err.Error(), "./b/second") {
		t.Errorf("without reading again: %v", err)
	}
	other := testutil.Tar(t, testutil.File("./other", strings.Repeat("x", 30000)))
	if _, _, err := copyAll(data, CopyOptions{Exclude: []string{"/out"}, Reopen: reopenBytes(other, &opened)}); err == nil {
		t.Error("another stream passes for the same")
	}
	failing := func(context.Context) (io.ReadCloser, error) { return nil, syscall.EIO }
	if _, _, err := copyAll(data, CopyOptions{Exclude: []string{"/out"}, Reopen: failing}); !errors.Is(err, syscall.EIO) {
		t.Errorf("failure to open: %v", err)
	}
}

type failingWriter struct{ left int }

func (f *failingWriter) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return f.left, syscall.ENOSPC
	}
	f.left -= len(p)
	return len(p), nil
}

func TestCopyErrors(t *testing.T) {
	data := bigTar(t, 3)
	if _, err := Copy(context.Background(), &failingWriter{1 << 20}, bytes.NewReader(data), CopyOptions{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("full disk: %v", err)
	}
	src := io.MultiReader(bytes.NewReader(data[:1<<20]), &failingReader{})
	if _, err := Copy(context.Background(), io.Discard, src, CopyOptions{}); !errors.Is(err, syscall.EIO) {
		t.Errorf("bad disk: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Copy(ctx, io.Discard, bytes.NewReader(data), CopyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, syscall.EIO }

func BenchmarkCopy(b *testing.B) {
	data := testutil.Tar(b, testutil.File("a", strings.Repeat("x", 256<<20)))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Copy(context.Background(), io.Discard, bytes.NewReader(data), CopyOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCopySmallMembers(b *testing.B) {
	var members []testutil.Member
	for i := range 20_000 {
		members = append(members, testutil.File(fmt.Sprintf("./usr/share/some/directory%d/file%d", i/50, i), strings.Repeat("x", 2000)))
	}
	data := testutil.Tar(b, members...)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Copy(context.Background(), io.Discard, bytes.NewReader(data), CopyOptions{Exclude: []string{"/usr/src/linux-*", "/lib/modules/*"}}); err != nil {
			b.Fatal(err)
		}
	}
}
