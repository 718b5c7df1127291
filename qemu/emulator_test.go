package qemu

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

// program writes a static program of this machine.
func program(t *testing.T, path string) string {
	t.Helper()
	if Host().IsZero() {
		testutil.SkipOrFail(t, "this machine is not in the table")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, Host().Trial(), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// shared returns the path of a program that needs shared libraries.
func shared(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/bin/sh", "/bin/ls", "/usr/bin/env"} {
		f, err := elf.Open(name)
		if err != nil {
			continue
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				_ = f.Close() // read only
				return name
			}
		}
		_ = f.Close() // read only
	}
	testutil.SkipOrFail(t, "no program with shared libraries is at hand")
	return ""
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", filepath.Join(dir, "a")+":"+filepath.Join(dir, "b")+":relative")
	a := Arch{Name: "test-64bit", Subarch: "test", Emulator: "qemu-xtootest", ELF: Host().ELF}
	find := func(given ...string) (string, error) {
		t.Helper()
		e, err := Find(a, given)
		if e.Given != (len(given) > 0) && !errors.Is(err, errNoEmulator) {
			t.Errorf("given %q: %+v, %v", given, e, err)
		}
		return e.Path, err
	}
	if _, err := find(); !errors.Is(err, errNoEmulator) || !strings.Contains(err.Error(), "qemu-xtootest-static") {
		t.Errorf("nothing there: %v", err)
	}
	plain := program(t, filepath.Join(dir, "a", "qemu-xtootest"))
	if got, err := find(); got != plain || err != nil {
		t.Errorf("plain: %q, %v", got, err)
	}
	static := program(t, filepath.Join(dir, "b", "qemu-xtootest-static"))
	if got, err := find(); got != static || err != nil {
		t.Errorf("the name that ends in -static goes first: %q, %v", got, err)
	}
	// One that needs shared libraries does not count while there is another.
	if err := os.Remove(static); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(shared(t), static); err != nil {
		t.Fatal(err)
	}
	if got, err := find(); got != plain || err != nil {
		t.Errorf("one of two is static: %q, %v", got, err)
	}
	if err := os.Remove(plain); err != nil {
		t.Fatal(err)
	}
	if got, err := find(); got != "" || !errors.Is(err, errUnusable) || !strings.Contains(err.Error(), "shared libraries") {
		t.Errorf("none is static: %q, %v", got, err)
	}
	// What the user named goes before all, wherever it is, unless it is another architecture's.
	own := program(t, filepath.Join(dir, "c", "my-emulator"))
	if got, err := find(own); got != own || err != nil {
		t.Errorf("given: %q, %v", got, err)
	}
	other := program(t, filepath.Join(dir, "c", "qemu-riscv64-static"))
	if got, err := find(other, own); got != own || err != nil {
		t.Errorf("given another's: %q, %v", got, err)
	}
	for name, want := range map[string]bool{"qemu-mips-static": false, "qemu-xtootest-9.0": true, "qemu-xtootest_be": false, "box": true} {
		if emulates(name, a) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	inDir := program(t, filepath.Join(dir, "d", "qemu-xtootest"))
	if got, err := find(filepath.Dir(inDir)); got != inDir || err != nil {
		t.Errorf("given a directory: %q, %v", got, err)
	}
	if _, err := find(filepath.Join(dir, "missing")); !errors.Is(err, errUnusable) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("given what is not there: %v", err)
	}
}

func TestUsable(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data []byte, mode os.FileMode) string {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	foreign, _ := Lookup("arm64", "")
	if Host().ELF == foreign.ELF {
		foreign, _ = Lookup("amd64", "")
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):          "no such file",
		dir:                                 "it is no file",
		file("mode", Host().Trial(), 0o644): "this user may not execute it (mode 0644)",
		file("script", []byte("#!/bin/sh\n"), 0o755): "it is no ELF program",
		file("cut", Host().Trial()[:30], 0o755):      "", // a trial will tell
		file("foreign", foreign.Trial(), 0o755):      "another machine",
		shared(t):                                    "shared libraries",
		file("good", Host().Trial(), 0o755):          "",
		file("empty", nil, 0o755):                    "it is no ELF program",
	} {
		err := Usable(path)
		if want == "" && err != nil || want != "" && (!errors.Is(err, errUnusable) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestTrial executes the trial programs: this machine's own, and the others under emulators that are here.
func TestTrial(t *testing.T) {
	for _, a := range Families() {
		t.Run(a.Name, func(t *testing.T) {
			p := filepath.Join(t.TempDir(), "trial")
			if err := os.WriteFile(p, a.Trial(), 0o755); err != nil {
				t.Fatal(err)
			}
			f, err := elf.Open(p)
			if err != nil || (ELF{f.Machine, f.Class, f.Data}) != a.ELF {
				t.Fatalf("%+v, %v", f, err)
			}
			_ = f.Close() // read only
			args := []string{p, "two", "three"}
			if a.ELF != Host().ELF {
				emulator, err := Find(a, nil)
				if err != nil {
					testutil.SkipOrFail(t, "%v", err)
				}
				args = append([]string{emulator.Path}, args...)
			}
			err = exec.CommandContext(t.Context(), args[0], args[1:]...).Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 3 {
				t.Errorf("%v: %v, want exit code 3", args, err)
			}
		})
	}
}
