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

	"xtoo/layers"
)

func TestUnpackHostile(t *testing.T) {
	inOneTier(t, testHostile)
}

func testHostile(t *testing.T) {
	slip := member{name: "esc", typ: tar.TypeSymlink, mode: 0o777, link: ".."}
	for name, test := range map[string]struct {
		members []member
		want    error
	}{
		"absolute":            {[]member{{name: "/etc/passwd", data: "x"}}, layers.ErrUnsafe},
		"dotdot":              {[]member{{name: "a/../../x", data: "x"}}, layers.ErrUnsafe},
		"dotdot at the end":   {[]member{{name: "a/.."}}, layers.ErrUnsafe},
		"dotdot directory":    {[]member{{name: "../"}}, layers.ErrUnsafe},
		"no name":             {[]member{{name: ""}}, layers.ErrMember},
		"through a symlink":   {[]member{slip, {name: "esc/x", data: "x"}}, layers.ErrUnsafe},
		"deep symlink":        {[]member{{name: "d/"}, {name: "d/l", typ: tar.TypeSymlink, link: "/"}, {name: "d/l/tmp/x", data: "x"}}, layers.ErrUnsafe},
		"below a file":        {[]member{{name: "f", data: "x"}, {name: "f/x", data: "x"}}, layers.ErrUnsafe},
		"hard link out":       {[]member{{name: "x", typ: tar.TypeLink, link: "../victim"}}, layers.ErrUnsafe},
		"hard link absolute":  {[]member{{name: "x", typ: tar.TypeLink, link: "/etc/passwd"}}, layers.ErrMember}, // the image's, which is not there
		"hard link through":   {[]member{slip, {name: "x", typ: tar.TypeLink, link: "esc/victim"}}, layers.ErrUnsafe},
		"hard link to itself": {[]member{{name: "x", typ: tar.TypeLink, link: "x"}}, layers.ErrMember},
		"hard link to root":   {[]member{{name: "x", typ: tar.TypeLink, link: "./"}}, layers.ErrMember},
		"hard link to dir":    {[]member{{name: "d/"}, {name: "x", typ: tar.TypeLink, link: "d"}}, layers.ErrMember},
		"hard link to wh":     {[]member{{name: ".wh.w"}, {name: "x", typ: tar.TypeLink, link: "w"}}, layers.ErrMember},
		"whiteout out":        {[]member{{name: "d/.wh..."}}, layers.ErrUnsafe},
		"whiteout of dot":     {[]member{{name: ".wh.."}}, layers.ErrUnsafe},
		"whiteout of nothing": {[]member{{name: ".wh."}}, layers.ErrUnsafe},
		"whiteout through":    {[]member{slip, {name: "esc/.wh.victim"}}, layers.ErrUnsafe},
		"opaque through":      {[]member{slip, {name: "esc/.wh..wh..opq"}}, layers.ErrUnsafe},
		"below a whiteout":    {[]member{{name: ".wh.d/x", data: "x"}}, layers.ErrMember},
		"root as a file":      {[]member{{name: ".", data: "x"}}, layers.ErrMember},
		"major":               {[]member{{name: "d", typ: tar.TypeBlock, major: 4096}}, layers.ErrMember},
		"minor":               {[]member{{name: "d", typ: tar.TypeChar, minor: 1 << 20}}, layers.ErrMember},
		"owner":               {[]member{{name: "d", uid: 1<<32 - 1}}, layers.ErrMember},
		"group":               {[]member{{name: "d", gid: 1 << 40}}, layers.ErrMember},
		"type":                {[]member{{name: "d", typ: 'Q'}}, layers.ErrMember},
		"symlink to nothing":  {[]member{{name: "d", typ: tar.TypeSymlink}}, layers.ErrMember},
		"long symlink":        {[]member{{name: "d", typ: tar.TypeSymlink, link: strings.Repeat("x", 5000)}}, unix.ENAMETOOLONG},
		"name of 256":         {[]member{{name: strings.Repeat("x", 256)}}, unix.ENAMETOOLONG},
		"hard link to hidden": {[]member{{name: "a/.wh..wh..opq"}, {name: "x", typ: tar.TypeLink, link: "a/b"}}, layers.ErrMember},
	} {
		t.Run(name, func(t *testing.T) {
			outer := newDir(t, "outer")
			victim, dir := filepath.Join(outer, "victim"), filepath.Join(outer, "fs")
			if err := errors.Join(os.WriteFile(victim, []byte("unharmed"), 0o600), os.Mkdir(dir, 0o755)); err != nil {
				t.Fatal(err)
			}
			_, err := Unpack(t.Context(), bytes.NewReader(archive(t, test.members...)), dir, UnpackOptions{})
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if last := test.members[len(test.members)-1].name; err != nil && !strings.Contains(err.Error(), `"`+last+`"`) {
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
	whole := archive(t, member{name: "a/"}, member{name: "a/file", data: strings.Repeat("x", 3000)}, member{name: "z"})
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
	// Sizes that no data follows. The header has 12 octal digits at 124 and a checksum at 148.
	huge := func(size string) []byte {
		b := archive(t, member{name: "huge", data: "x"})
		copy(b[124:136], size)
		sum := 0
		copy(b[148:156], "        ")
		for _, c := range b[:512] {
			sum += int(c)
		}
		copy(b[148:156], strings.ToLower(oct6(sum))+"\x00 ")
		return b
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
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		err := w.WriteHeader(&tar.Header{Name: "PaxHeaders.0/x", Typeflag: tar.TypeReg, Size: int64(len(record))})
		if err == nil {
			_, err = w.Write([]byte(record))
		}
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: "x", Typeflag: tar.TypeReg})
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		data := b.Bytes()
		data[156] = 'x'
		copy(data[148:156], "        ")
		sum := 0
		for _, c := range data[:512] {
			sum += int(c)
		}
		copy(data[148:156], oct6(sum)+"\x00 ")
		if _, err := Unpack(t.Context(), bytes.NewReader(data), newDir(t, "fs"), UnpackOptions{}); err == nil && record != "8 path=\n" {
			t.Errorf("extended header %q: no error", record)
		}
	}
}

func oct6(n int) string {
	s := "000000"
	for i, b := 5, []byte(s); i >= 0; i-- {
		b[i] = byte('0' + n&7)
		n >>= 3
		s = string(b)
	}
	return s
}

func TestUnpackDeep(t *testing.T) {
	inOneTier(t, func(t *testing.T) {
		// 400 levels of 200 bytes: 20 times what a path may have.
		deep := strings.Repeat(strings.Repeat("d", 199)+"/", 400)
		dir, res := unpackTo(t, "fs", archive(t, member{name: deep + "file", data: "bottom"}, member{name: "link", typ: tar.TypeLink, link: deep + "file"}))
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
		data := archive(t, member{name: "x", data: strings.Repeat("x", 3<<20)})
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
		if _, err := Unpack(t.Context(), bytes.NewReader(data), dir, UnpackOptions{}); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("to a directory that is not empty: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Unpack(ctx, bytes.NewReader(data), newDir(t, "ended"), UnpackOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
	})
}
