package chroot

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xtoo/chroot/host"
	"xtoo/internal/testutil"
	"xtoo/internal/testutil/asm"
	"xtoo/qemu"
)

// A foreign architecture, and how Go builds programs for it.
type foreign struct {
	name  string
	uname string
	build []string
}

func foreigners() []foreign {
	return []foreign{
		{"arm-64bit/raspi4", "aarch64", []string{"GOARCH=arm64"}},
		{"arm-32bit/raspi2", "armv7l", []string{"GOARCH=arm", "GOARM=7"}},
		{"arm-32bit/raspi", "armv6l", []string{"GOARCH=arm", "GOARM=6"}},
		{"riscv-64bit/sifive-fu740", "riscv64", []string{"GOARCH=riscv64"}},
	}
}

// arch looks an architecture up.
func arch(t testing.TB, name string) qemu.Arch {
	t.Helper()
	a, err := qemu.Lookup(name, "")
	must(t, err)
	return a
}

// needForeign ends the test where this machine is of the architecture, or has no emulator for it.
func needForeign(t testing.TB, a qemu.Arch) {
	t.Helper()
	if a.ELF == qemu.Host().ELF {
		t.Skip("this machine's own architecture")
	}
	if _, err := qemu.Find(a, nil); err != nil {
		testutil.SkipOrFail(t, "%v", err)
	}
}

// ownBinfmt ends the test where a user namespace gets no binfmt_misc.
func ownBinfmt(t testing.TB) {
	t.Helper()
	if !host.AtLeast(host.KernelRelease(), 6, 7) {
		testutil.SkipOrFail(t, "before Linux 6.7 a user namespace gets no binfmt_misc: %s", host.KernelRelease())
	}
}

// foreignProgram makes a program for an architecture, as a file, and one that it can become: both tell that they ran.
func foreignProgram(t testing.TB, a qemu.Arch) (program string, child []byte) {
	t.Helper()
	data, err := asm.Program(a.ELF.Machine, asm.Machine(), asm.Given(), asm.WriteFile("/etc/new", "x"), asm.Become("/bin/child", "of it"))
	must(t, err)
	child, err = asm.Program(a.ELF.Machine, asm.Print("child "), asm.Given(), asm.Exit(7))
	must(t, err)
	program = filepath.Join(t.TempDir(), "program")
	must(t, os.WriteFile(program, data, 0o755))
	return program, child
}

// newForeignRoot is a root whose bin/guest is of another architecture; bin/native is this machine's.
func newForeignRoot(t *testing.T, h *Host, a qemu.Arch) *testRoot {
	t.Helper()
	program, child := foreignProgram(t, a)
	r := newRootOf(t, h, program, ordinary()...)
	must(t, os.WriteFile(filepath.Join(r.Lower, "bin/child"), child, 0o755))
	native, err := os.ReadFile(guestProgram(t))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(r.Lower, "bin/native"), native, 0o755))
	r.node.Spec.Process.Env = []string{"PATH=/bin", qemu.CPUVar + "=" + a.CPU}
	return r
}

// checkForeign executes the program of a root's architecture in it.
func checkForeign(t *testing.T, r *testRoot, uname string) {
	t.Helper()
	out, exit := r.run("two  words")
	if exit.Code != 7 {
		t.Errorf("exit %+v", exit)
	}
	contains(t, "\n"+out, "\n"+uname+"\n", "/bin/guest\ntwo  words\n", "child /bin/child\nof it\n")
	if got := strings.Join(testutil.Paths(t, r.node.Upper), " "); got != "etc etc/new" {
		t.Errorf("the upper directory has %s", got)
	}
}

func TestEmulatedNode(t *testing.T) {
	ownBinfmt(t)
	eachTier(t, func(t *testing.T, h *Host) {
		for _, f := range foreigners() {
			t.Run(f.name, func(t *testing.T) {
				a := arch(t, f.name)
				needForeign(t, a)
				e, err := h.Emulate(t.Context(), a, nil)
				if err != nil || e.How != HowOwn || !e.Emulated() {
					t.Fatalf("%+v, %v (%s)", e, err, host.Hint(err))
				}
				r := newForeignRoot(t, h, a)
				r.node.Emulation = e
				checkForeign(t, r, f.uname)
				r.node.Spec.Process.Args = []string{"/bin/native", "print", "looked", ";", "ls", "/proc/sys/fs/binfmt_misc", ";", "grep", "/proc/self/mounts", "binfmt"}
				var out bytes.Buffer
				n := r.freshWork()
				n.Output = &out
				_, err = h.Run(t.Context(), n)
				must(t, err)
				contains(t, out.String(), "looked\n")
				if strings.Contains(out.String(), "binfmt") || strings.Contains(out.String(), "register") {
					t.Errorf("the registration can be seen:\n%s", &out)
				}
			})
		}
	})
}

// TestEmulatedGo: programs with threads, signals and children of their own, and a root with nothing else.
func TestEmulatedGo(t *testing.T) {
	testutil.Long(t, "compiles Go programs for four architectures")
	ownBinfmt(t)
	h := probed(t)
	for _, f := range foreigners() {
		t.Run(f.name, func(t *testing.T) {
			a := arch(t, f.name)
			needForeign(t, a)
			e, err := h.Emulate(t.Context(), a, nil)
			must(t, err)
			r := newRootOf(t, h, guestProgram(t, f.build...), ordinary()...)
			r.node.Emulation = e
			r.node.Spec.Process.Env = []string{"PATH=/bin", qemu.CPUVar + "=" + a.CPU}
			out, exit := r.run("uname", ";", "print", "two  words", ";", "ls", "/proc/sys/fs/binfmt_misc", ";", "grep", "/proc/self/mounts", "binfmt", ";",
				"cat", "/proc/1/cmdline", ";", "wait", "print", "child", ";", "write", "/etc/new", "x", ";", "exit", "7")
			if exit.Code != 7 {
				t.Errorf("exit %+v", exit)
			}
			contains(t, out, " "+f.uname+"\n", "two  words\n", "child\n")
			if strings.Contains(out, "binfmt") || strings.Contains(out, "register") {
				t.Errorf("the registration can be seen:\n%s", out)
			}
			if got := strings.Join(testutil.Paths(t, r.node.Upper), " "); got != "etc etc/new" {
				t.Errorf("the upper directory has %s", got)
			}
		})
	}
}

// TestEmulatedTraces looks for the emulator in what one process sees of another.
func TestEmulatedTraces(t *testing.T) {
	ownBinfmt(t)
	h := probed(t)
	a := arch(t, "arm-64bit")
	needForeign(t, a)
	e, err := h.Emulate(t.Context(), a, nil)
	must(t, err)
	r := newRoot(t, h, ordinary()...)
	sleeper, err := asm.Program(a.ELF.Machine, asm.Print("asleep\n"), asm.Wait())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(r.Lower, "bin/foreign"), sleeper, 0o755))
	r.node.Emulation = e
	out, _ := r.run("background", "/bin/foreign", "asleep", ";", "processes")
	contains(t, out, a.Emulator+"\x00/bin/foreign") // or nothing was looked at
	for _, trace := range []string{e.Emulator, filepath.Dir(e.Emulator) + "/qemu"} {
		if strings.Contains(out, trace) {
			t.Errorf("%s can be seen:\n%q", trace, out)
		}
	}
}

// TestCompat: this machine's 32-bit kind. A kernel that executes no such programs has them emulated.
func TestCompat(t *testing.T) {
	if qemu.Host().Architecture != "amd64" {
		t.Skip("32-bit programs of this machine may not be executed by it")
	}
	a := arch(t, "x86-32bit")
	want := HowCompat
	if registered, err := qemu.Registrations(qemu.BinfmtDir); err == nil && slices.ContainsFunc(registered, func(r qemu.Registration) bool { return r.Runs(a) }) {
		t.Skip("the host has an emulator registered, which hides what its processor executes")
	}
	if !asm.Runs(t, a.ELF.Machine) {
		ownBinfmt(t)
		needForeign(t, a)
		want = HowOwn
	}
	t.Logf("32-bit programs are executed as %s", want)
	eachTier(t, func(t *testing.T, h *Host) {
		e, err := h.Emulate(t.Context(), a, nil)
		if err != nil || e.How != want || e.Emulated() != (want == HowOwn) || (e.Emulator != "") != e.Emulated() {
			t.Fatalf("%+v, %v", e, err)
		}
		r := newForeignRoot(t, h, a)
		r.node.Emulation = e
		checkForeign(t, r, "i686")
	})
}

func TestEmulateNative(t *testing.T) {
	e, err := probed(t).Emulate(t.Context(), qemu.Host(), []string{"/nowhere"})
	if err != nil || e.How != HowNative || e.Emulated() || e.String() != "native" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestEmulateWrongEmulators(t *testing.T) {
	ownBinfmt(t)
	h := probed(t)
	a := arch(t, "riscv64")
	if a.ELF == qemu.Host().ELF {
		t.Skip("this machine's own architecture")
	}
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o755))
	trial := qemu.Host().Trial()
	crash := append([]byte{}, trial...)
	copy(crash[120:], bytes.Repeat([]byte{0}, len(crash)-120)) // no instruction of any machine that it would survive
	for name, c := range map[string]struct {
		data []byte
		mode os.FileMode
		want string
	}{
		"mode":   {trial, 0o644, "may not execute it"},
		"script": {[]byte("#!/bin/sh\n"), 0o755, "no ELF program"},
		"wrong":  {trial, 0o755, "does not hand on a program's arguments"},
		"crash":  {crash, 0o755, "was killed by signal"},
	} {
		p := filepath.Join(dir, name)
		must(t, os.WriteFile(p, c.data, c.mode))
		_, err := h.Emulate(t.Context(), a, []string{p})
		if !errors.Is(err, ErrNoEmulation) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(host.Hint(err), "--qemu") {
			t.Errorf("%s: hint %q", name, host.Hint(err))
		}
	}
	_, err := h.Emulate(t.Context(), a, []string{filepath.Join(dir, "none")})
	if !errors.Is(err, ErrNoEmulation) || !strings.Contains(err.Error(), "cannot be used as an emulator") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing: %v", err)
	}
	a.Emulator = "qemu-xtootest" // nobody has that
	_, err = h.Emulate(t.Context(), a, nil)
	if !strings.Contains(err.Error(), "no emulator found") || !strings.Contains(host.Hint(err), "qemu-user-static") {
		t.Errorf("no emulator: %v (%s)", err, host.Hint(err))
	}
}

// TestEmulateFromClosedDirectory: the working directory may be one that is closed to the namespace.
func TestEmulateFromClosedDirectory(t *testing.T) {
	ownBinfmt(t)
	a := arch(t, "arm-64bit")
	needForeign(t, a)
	dir := t.TempDir()
	t.Chdir(dir)
	must(t, os.Chmod(dir, 0))
	t.Cleanup(func() { must(t, os.Chmod(dir, 0o755)) })
	if e, err := probed(t).Emulate(t.Context(), a, nil); err != nil || e.How != HowOwn {
		t.Errorf("%+v, %v", e, err)
	}
}
