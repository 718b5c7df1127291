package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ulikunitz/xz"

	"xtoo/internal/testutil"
)

func build(t *testing.T, name, goarch string) string {
	t.Helper()
	testutil.Need(t, "go")
	path := filepath.Join(t.TempDir(), name)
	if err := run(t.Context(), options{out: path, goarch: goarch, goProgram: "go"}); err != nil {
		t.Fatal(err)
	}
	return path
}

// read returns the headers of a .tar.xz by name, and the content of the multi-call binary.
func read(t *testing.T, path string) (map[string]*tar.Header, []byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, err := xz.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*tar.Header{}
	var box []byte
	last := ""
	for tr := tar.NewReader(x); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return all, box
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(h.Name, "./") || h.Name <= last {
			t.Errorf("member %q after %q", h.Name, last)
		}
		if !h.ModTime.Equal(published) {
			t.Errorf("member %q is of %v", h.Name, h.ModTime)
		}
		last = h.Name
		all[h.Name] = h
		if h.Name == "./bin/box" {
			if box, err = io.ReadAll(tr); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSameBytes(t *testing.T) {
	a, err := os.ReadFile(build(t, "a.tar.xz", "amd64"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(build(t, "b.tar.xz", "amd64"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("two stage3s of one source differ")
	}
}

// TestLeftAlone: an output that is there already keeps its time, one with other bytes is replaced.
func TestLeftAlone(t *testing.T) {
	path := build(t, "s.tar.gz", "amd64")
	old := time.Unix(1e9, 0)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if err := run(t.Context(), options{out: path, goarch: "amd64", goProgram: "go"}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.ModTime().Equal(old) != want {
			t.Errorf("left alone: %v, want %v", !want, want)
		}
		if err := os.WriteFile(path, []byte("other"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMembers(t *testing.T) {
	all, box := read(t, build(t, "s.tar.xz", "amd64"))
	e, err := elf.NewFile(bytes.NewReader(box))
	if err != nil {
		t.Fatal(err)
	}
	if e.Machine != elf.EM_X86_64 {
		t.Errorf("bin/box is for %v", e.Machine)
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("bin/box is not static")
		}
	}
	for name, want := range map[string]tar.Header{
		"./":                           {Typeflag: tar.TypeDir, Mode: 0o755},
		"./bin/sh":                     {Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: "box"},
		"./dev/null":                   {Typeflag: tar.TypeChar, Mode: 0o666, Devmajor: 1, Devminor: 3},
		"./usr/bin/suid-probe":         {Typeflag: tar.TypeReg, Mode: 0o4755},
		"./var/cache/distfiles/":       {Typeflag: tar.TypeDir, Mode: 0o2775, Uid: portage, Gid: portage},
		"./usr/bin/cap-probe":          {Typeflag: tar.TypeReg, Mode: 0o755},
		"./var/games/scores":           {Typeflag: tar.TypeReg, Mode: 0o664, Uid: games, Gid: games},
		"./var/lib/nobody-private/":    {Typeflag: tar.TypeDir, Mode: 0o700, Uid: nobody, Gid: nobody},
		"./usr/bin/cap-probe-hardlink": {Typeflag: tar.TypeLink, Mode: 0o755, Linkname: "./usr/bin/cap-probe"},
	} {
		got := all[name]
		if got == nil {
			t.Errorf("no member %s", name)
			continue
		}
		if got.Typeflag != want.Typeflag || got.Mode != want.Mode || got.Uid != want.Uid || got.Gid != want.Gid ||
			got.Linkname != want.Linkname || got.Devmajor != want.Devmajor || got.Devminor != want.Devminor {
			t.Errorf("member %s is %+v", name, got)
		}
	}
	if got := all["./usr/bin/cap-probe"].PAXRecords["SCHILY.xattr.security.capability"]; got != capNetRaw {
		t.Errorf("the capability of usr/bin/cap-probe is %q", got)
	}
	if got := all["./usr/share/attributed"].PAXRecords["SCHILY.xattr.user.xtoo.probe"]; got != "stage3 xattr" {
		t.Errorf("the attribute of usr/share/attributed is %q", got)
	}
}

// TestWrongOutput: nothing is left of an output that cannot be made.
func TestWrongOutput(t *testing.T) {
	dir := t.TempDir()
	for _, o := range []options{
		{out: filepath.Join(dir, "s.tar.lzma"), goarch: "amd64", goProgram: "go"},
		{out: filepath.Join(dir, "s.tar.xz"), goarch: "m68k", goProgram: "go"},
		{out: filepath.Join(dir, "s.tar.xz"), goarch: "amd64", goProgram: filepath.Join(dir, "no-go")},
	} {
		if err := run(t.Context(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
