package tree

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

func TestUnpackHostile(t *testing.T) {
	inOneTier(t, testHostile)
}

func testHostile(t *testing.T) {
	slip := testutil.Symlink("esc", "..").WithMode(0o777)
	for name, test := range map[string]struct {
		members []testutil.Member
		want    error
	}{
		"dotdot":              {[]testutil.Member{testutil.File("a/../../x", "x")}, layers.ErrUnsafe},
		"dotdot at the end":   {[]testutil.Member{testutil.File("a/..", "")}, layers.ErrUnsafe},
		"dotdot directory":    {[]testutil.Member{testutil.Dir("../")}, layers.ErrUnsafe},
		"no name":             {[]testutil.Member{testutil.File("", "")}, layers.ErrMember},
		"through a symlink":   {[]testutil.Member{slip, testutil.File("esc/x", "x")}, layers.ErrUnsafe},
		"deep symlink":        {[]testutil.Member{testutil.Dir("d/"), testutil.Symlink("d/l", "/"), testutil.File("d/l/tmp/x", "x")}, layers.ErrUnsafe},
		"below a file":        {[]testutil.Member{testutil.File("f", "x"), testutil.File("f/x", "x")}, layers.ErrUnsafe},
		"hard link out":       {[]testutil.Member{testutil.Link("x", "../victim")}, layers.ErrUnsafe},
		"hard link absolute":  {[]testutil.Member{testutil.Link("x", "/etc/passwd")}, layers.ErrMember}, // the image's, which is not there
		"hard link through":   {[]testutil.Member{slip, testutil.Link("x", "esc/victim")}, layers.ErrUnsafe},
		"hard link to itself": {[]testutil.Member{testutil.Link("x", "x")}, layers.ErrMember},
		"hard link to root":   {[]testutil.Member{testutil.Link("x", "./")}, layers.ErrMember},
		"hard link to dir":    {[]testutil.Member{testutil.Dir("d/"), testutil.Link("x", "d")}, layers.ErrMember},
		"hard link to wh":     {[]testutil.Member{testutil.File(".wh.w", ""), testutil.Link("x", "w")}, layers.ErrMember},
		"whiteout out":        {[]testutil.Member{testutil.File("d/.wh...", "")}, layers.ErrUnsafe},
		"whiteout of dot":     {[]testutil.Member{testutil.File(".wh..", "")}, layers.ErrUnsafe},
		"whiteout of nothing": {[]testutil.Member{testutil.File(".wh.", "")}, layers.ErrUnsafe},
		"whiteout through":    {[]testutil.Member{slip, testutil.File("esc/.wh.victim", "")}, nil}, // there is nothing left to hide
		"opaque through":      {[]testutil.Member{slip, testutil.File("esc/.wh..wh..opq", "")}, nil},
		"below a whiteout":    {[]testutil.Member{testutil.File(".wh.d/x", "x")}, layers.ErrMember},
		"root as a file":      {[]testutil.Member{testutil.File(".", "x")}, layers.ErrMember},
		"major":               {[]testutil.Member{testutil.Device("d", tar.TypeBlock, 4096, 0)}, layers.ErrMember},
		"minor":               {[]testutil.Member{testutil.Device("d", tar.TypeChar, 0, 1<<20)}, layers.ErrMember},
		"owner":               {[]testutil.Member{testutil.File("d", "").WithOwner(1<<32-1, 0)}, layers.ErrMember},
		"group":               {[]testutil.Member{testutil.File("d", "").WithOwner(0, 1<<40)}, layers.ErrMember},
		"type":                {[]testutil.Member{{Header: tar.Header{Name: "d", Typeflag: 'Q'}}}, layers.ErrMember},
		"symlink to nothing":  {[]testutil.Member{testutil.Symlink("d", "")}, layers.ErrMember},
		"long symlink":        {[]testutil.Member{testutil.Symlink("d", strings.Repeat("x", 5000))}, unix.ENAMETOOLONG},
		"name of 256":         {[]testutil.Member{testutil.File(strings.Repeat("x", 256), "")}, unix.ENAMETOOLONG},
		"hard link to hidden": {[]testutil.Member{testutil.File("a/.wh..wh..opq", ""), testutil.Link("x", "a/b")}, layers.ErrMember},
	} {
		t.Run(name, func(t *testing.T) {
			outer := newDir(t, "outer")
			victim, dir := filepath.Join(outer, "victim"), filepath.Join(outer, "fs")
			if err := errors.Join(os.WriteFile(victim, []byte("unharmed"), 0o600), os.Mkdir(dir, 0o755)); err != nil {
				t.Fatal(err)
			}
			_, err := Unpack(t.Context(), bytes.NewReader(testutil.Tar(t, test.members...)), dir, UnpackOptions{})
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if last := test.members[len(test.members)-1].Name; err != nil && !strings.Contains(err.Error(), `"`+last+`"`) {
				t.Errorf("the error does not name the member: %v", err)
			}
			unharmed(t, outer, victim)
		})
	}
}

// unharmed checks that nothing but what was there is in a directory beside the one unpacked to.
func unharmed(t testing.TB, outer, victim string) {
	t.Helper()
	if data, err := os.ReadFile(victim); err != nil || string(data) != "unharmed" {
		t.Errorf("the file outside is now %q, %v", data, err)
	}
	var st unix.Stat_t
	if err := unix.Stat(victim, &st); err != nil || st.Nlink != 1 {
		t.Errorf("the file outside has %d names, %v", st.Nlink, err)
	}
	entries, err := os.ReadDir(outer)
	if err != nil || len(entries) != 2 {
		t.Errorf("outside there are %v, %v", entries, err)
	}
}

// TestUnpackDamaged has archives that are not what they say.
func TestUnpackDamaged(t *testing.T) {
	inOneTier(t, testDamaged)
}

func testDamaged(t *testing.T) {
	whole := testutil.Tar(t, testutil.Dir("a/"), testutil.File("a/file", strings.Repeat("x", 3000)), testutil.File("z", ""))
	for n := range len(whole) - 1024 {
		if n%512 == 0 && n != 512*2 || n >= 1024+3000 && n < 1024+3072 { // between members, or in padding: only its digest can tell
			continue
		}
		if n > 600 && n%97 != 0 {
			continue
		}
		if _, err := Unpack(t.Context(), bytes.NewReader(whole[:n]), newDir(t, "fs"), UnpackOptions{}); err == nil {
			t.Errorf("no error for an archive cut at %d of %d bytes", n, len(whole))
		}
	}
	// Sizes that no data follows.
	huge := func(size string) []byte {
		return testutil.RawEnd(testutil.RawHeader("huge", tar.TypeReg, size), testutil.RawPad([]byte("x")))
	}
	for _, size := range []string{"77777777777\x00", "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0", "-0000000005\x00"} {
		dir := newDir(t, "fs")
		_, err := Unpack(t.Context(), bytes.NewReader(huge(size)), dir, UnpackOptions{})
		if err == nil {
			t.Errorf("size %q: no error", size)
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("size %q: %v passes for the end", size, err)
		}
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, "huge"), &st); err == nil && st.Blocks > 16 {
			t.Errorf("size %q: it takes %d blocks", size, st.Blocks)
		}
	}
	for _, record := range []string{"99 path=x\n", "8 path=\n", "0 =x\n", "-5 path=x\n", "12 path=a\x00b\n", "17 size=abcdefgh\n", "14 mtime=1.x.\n", "9999999999999999999 a=b\n"} {
		data := testutil.RawEnd(testutil.RawExtended('x', record, testutil.RawHeader("x", tar.TypeReg, testutil.RawNoBytes)))
		if _, err := Unpack(t.Context(), bytes.NewReader(data), newDir(t, "fs"), UnpackOptions{}); err == nil && record != "8 path=\n" {
			t.Errorf("extended header %q: no error", record)
		}
	}
}

func TestUnpackDeep(t *testing.T) {
	inOneTier(t, func(t *testing.T) {
		// 400 levels of 200 bytes: 20 times what a path may have.
		deep := strings.Repeat(strings.Repeat("d", 199)+"/", 400)
		dir, res := unpackTo(t, "fs", testutil.Tar(t, testutil.File(deep+"file", "bottom"), testutil.Link("link", deep+"file")))
		if res.Entries != 2 {
			t.Errorf("result %+v", res)
		}
		data, err := os.ReadFile(filepath.Join(dir, "link"))
		if err != nil || string(data) != "bottom" {
			t.Errorf("%q, %v", data, err)
		}
		var b bytes.Buffer
		if _, err := Capture(t.Context(), &b, dir, nil, CaptureOptions{}); err != nil {
			t.Fatal(err)
		}
		again, _ := unpackTo(t, "again", b.Bytes())
		if data, err := os.ReadFile(filepath.Join(again, "link")); err != nil || string(data) != "bottom" {
			t.Errorf("after a round trip: %q, %v", data, err)
		}
	})
}

func TestUnpackErrors(t *testing.T) {
	inOneTier(t, func(t *testing.T) {
		data := testutil.Tar(t, testutil.File("x", strings.Repeat("x", 3<<20)))
		dir := newDir(t, "fs")
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=755"); err != nil {
			t.Fatal(err)
		}
		_, err := Unpack(t.Context(), bytes.NewReader(data), dir, UnpackOptions{})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("on a full disk: %v", err)
		}
		if err := RemoveAll(t.Context(), dir); !errors.Is(err, unix.EBUSY) {
			t.Errorf("removing a mount point: %v", err)
		}
		if err := unix.Unmount(dir, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "there"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Unpack(t.Context(), bytes.NewReader(data), dir, UnpackOptions{}); !errors.Is(err, errNotEmpty) {
			t.Errorf("to a directory that is not empty: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Unpack(ctx, bytes.NewReader(data), newDir(t, "ended"), UnpackOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
	})
}
