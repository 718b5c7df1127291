package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ulikunitz/xz"

	"xtoo/internal/testutil"
	"xtoo/qemu"
)

func build(t *testing.T, name, arch string) string {
	t.Helper()
	testutil.Need(t, "go")
	path := filepath.Join(t.TempDir(), name)
	if err := run(t.Context(), options{out: path, arch: arch, goProgram: "go"}); err != nil {
		t.Fatal(err)
	}
	return path
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// read returns the headers of a .tar or .tar.xz by name, and the content of the multi-call binary.
func read(t *testing.T, path string) (map[string]*tar.Header, []byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var x io.Reader = f
	if strings.HasSuffix(path, ".xz") {
		if x, err = xz.NewReader(f); err != nil {
			t.Fatal(err)
		}
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
	a, b := contents(t, build(t, "a.tar.xz", "")), contents(t, build(t, "b.tar.xz", ""))
	if !bytes.Equal(a, b) {
		t.Error("two stage3s of one source differ")
	}
}

// TestArchitectures: whatever qemu's table calls an architecture, the shell is a program for it, twice the same, and
// its emulator runs it.
func TestArchitectures(t *testing.T) {
	testutil.Long(t, "compiles the userland for four architectures")
	for _, c := range []struct{ name, want, emulator string }{
		{"x86-32bit", "x86-32bit/generic_32", ""}, // qemu-i386 runs no Go programs
		{"arm-64bit/raspi4", "arm-64bit/raspi4", "qemu-aarch64-static"},
		{"arm-32bit/raspi", "arm-32bit/raspi", "qemu-arm-static"}, // ARM v6
		{"riscv-64bit", "riscv-64bit/sifive-fu740", "qemu-riscv64-static"},
	} {
		t.Run(c.want, func(t *testing.T) {
			arch, err := qemu.Lookup(c.name, "")
			if err != nil || arch.String() != c.want {
				t.Fatalf("%s is %v, %v", c.name, arch, err)
			}
			first, second := build(t, "a.tar", c.name), build(t, "b.tar", c.name)
			if a, b := contents(t, first), contents(t, second); !bytes.Equal(a, b) {
				t.Error("two stage3s of one source differ")
			}
			all, box := read(t, first)
			if h := all["./bin/sh"]; h == nil || h.Linkname != "box" {
				t.Errorf("bin/sh is %+v", h)
			}
			e, err := elf.NewFile(bytes.NewReader(box))
			if err != nil {
				t.Fatal(err)
			}
			if got := (qemu.ELF{Machine: e.Machine, Class: e.Class, Data: e.Data}); got != arch.ELF {
				t.Errorf("bin/box is for %v, want %v", got, arch.ELF)
			}
			if c.emulator != "" {
				t.Run("emulated", func(t *testing.T) { emulate(t, c.emulator, arch, box) })
			}
		})
	}
}

// TestInstructions: programs need no more of a processor than the subarch's machines have.
func TestInstructions(t *testing.T) {
	for name, want := range map[string]string{
		"amd64": "GOAMD64=v1", "i486": "GO386=softfloat", "raspi4": "GOARM64=v8.0", "raspi": "GOARM=6",
		"raspi2": "GOARM=7", "armv7a_hardfp": "GOARM=7", "riscv-64bit": "GORISCV64=rva20u64",
	} {
		arch, err := qemu.Lookup(name, "")
		if err != nil {
			t.Fatal(err)
		}
		if env := goEnv(arch); !slices.Contains(env, want) || !slices.Contains(env, "GOARCH="+arch.Architecture) {
			t.Errorf("%s: %v, want %s", name, env, want)
		}
	}
}

// emulate runs the shell under an emulator, as the processor that xtoo asks of it.
func emulate(t *testing.T, emulator string, arch qemu.Arch, box []byte) {
	testutil.Need(t, emulator)
	path := filepath.Join(t.TempDir(), "box")
	if err := os.WriteFile(path, box, 0o755); err != nil {
		t.Fatal(err)
	}
	script := "set -e; true; ! false; echo $(seq 3 | while read -r n; do echo $n; done) $(echo abc | { read -r x; echo $x; })"
	for _, run := range []struct {
		args []string
		want string
	}{{[]string{"uname", "-m"}, arch.Uname}, {[]string{"sh", "-c", script}, "1 2 3 abc"}} {
		tool := testutil.Tool{Env: []string{"QEMU_CPU=" + arch.CPU}, Both: true}
		if out := tool.Run(t, emulator, append([]string{path}, run.args...)...); strings.TrimSpace(out) != run.want {
			t.Errorf("%v under %s: %s", run.args, emulator, out)
		}
	}
}

// TestNearestName: a name that is not in the table is answered with one that is.
func TestNearestName(t *testing.T) {
	err := run(t.Context(), options{out: filepath.Join(t.TempDir(), "s.tar"), arch: "arm-64bti", goProgram: "go"})
	if err == nil || !strings.Contains(err.Error(), "arm-64bit") {
		t.Errorf("the error is %v", err)
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
		if err := run(t.Context(), options{out: path, arch: "amd64", goProgram: "go"}); err != nil {
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
	all, box := read(t, build(t, "s.tar", "amd64"))
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
		{out: filepath.Join(dir, "s.tar.lzma"), arch: "amd64", goProgram: "go"},
		{out: filepath.Join(dir, "s.tar.xz"), arch: "m68k", goProgram: "go"},
		{out: filepath.Join(dir, "s.tar.xz"), arch: "amd64", goProgram: filepath.Join(dir, "no-go")},
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
