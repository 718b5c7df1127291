package chroot

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
	"xtoo/internal/testutil"
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
				if got := filesBelow(t, r.node.Upper); got != "etc etc/new" {
					t.Errorf("the upper directory has %s", got)
				}
			})
		}
	})
}

// TestEmulatedTraces looks for the emulator in what one process sees of another.
func TestEmulatedTraces(t *testing.T) {
	ownBinfmt(t)
	h := probed(t)
	a := arch(t, "arm-64bit")
	needForeign(t, a)
	e, err := h.Emulate(t.Context(), a, nil)
	must(t, err)
	r := newRootOf(t, h, guestProgram(t, "GOARCH=arm64"), ordinary()...)
	r.node.Emulation = e
	// Process 2 is the node's own first one, or near it; init's children are few.
	args := []string{"spawn", "sleep", "2000", ";"}
	for _, pid := range []string{"2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"} {
		args = append(args, "readlink", "/proc/"+pid+"/exe", ";", "cat", "/proc/"+pid+"/cmdline", ";")
	}
	out, _ := r.run(args...)
	contains(t, out, a.Emulator+"\x00/bin/guest") // or nothing was looked at
	for _, trace := range []string{e.Emulator, filepath.Dir(e.Emulator) + "/qemu"} {
		if strings.Contains(out, trace) {
			t.Errorf("%s can be seen:\n%q", trace, out)
		}
	}
}

// TestNativeNodeIsAlone: what the host has registered does not reach a native node.
func TestNativeNodeIsAlone(t *testing.T) {
	ownBinfmt(t)
	a := arch(t, "riscv64")
	needForeign(t, a)
	h := probed(t)
	found, err := qemu.Find(a, nil)
	must(t, err)
	emulator := found.Path
	for _, own := range []bool{true, false} {
		r := newRoot(t, h, ordinary()...)
		must(t, os.WriteFile(filepath.Join(r.Lower, "bin/foreign"), a.Trial(), 0o755))
		n := r.freshWork()
		n.Spec = &specs.Spec{Process: &specs.Process{Args: []string{"/bin/guest", "exec", "/bin/foreign"}}}
		p, err := h.Start(t.Context(), stage.Command{Stage: "test.emulate", Args: asHost{
			Arch: "riscv64", Flags: "OCF", Interpreter: emulator, Node: n, Native: true, Own: own,
		}})
		must(t, err)
		var got asHostResult
		must(t, p.Wait(&got))
		want := "exit status 1\n" // the trial counts its arguments
		if own {
			want = "exec format error"
		}
		if !strings.Contains(got.Said, want) {
			t.Errorf("own %v: %+v", own, got)
		}
	}
}

// TestCompat: this machine's own 32-bit programs.
func TestCompat(t *testing.T) {
	if qemu.Host().Architecture != "amd64" {
		t.Skip("32-bit programs of this machine may not be executed by it")
	}
	eachTier(t, func(t *testing.T, h *Host) {
		e, err := h.Emulate(t.Context(), arch(t, "x86-32bit"), nil)
		if err != nil || e.How != HowCompat || e.Emulated() || e.Emulator != "" {
			t.Fatalf("%+v, %v", e, err)
		}
		r := newRootOf(t, h, guestProgram(t, "GOARCH=386"), ordinary()...)
		r.node.Emulation = e
		if out, exit := r.run("uname"); exit.Code != 0 || !strings.Contains(out, " i686\n") {
			t.Errorf("%+v: %s", exit, out)
		}
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
	if !errors.Is(err, ErrNoEmulation) || !errors.Is(err, qemu.ErrUnusable) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing: %v", err)
	}
	a.Emulator = "qemu-xtootest" // nobody has that
	_, err = h.Emulate(t.Context(), a, nil)
	if !errors.Is(err, qemu.ErrNoEmulator) || !strings.Contains(host.Hint(err), "qemu-user-static") {
		t.Errorf("no emulator: %v (%s)", err, host.Hint(err))
	}
}

// asHost is what emulateAsHost is told: what the host of old has registered, and what is executed on it.
type asHost struct {
	Arch, Flags, Interpreter string
	Given                    []string
	Node                     Node
	Native, Own              bool // do not emulate; give namespaces a binfmt_misc of their own
}

// asHostResult is what came of it.
type asHostResult struct {
	Found             Emulation
	Error, Hint, Said string
	Code              int
}

// emulateAsHost is a stage that stands for a host: it registers an emulator as its administrator would, and executes a
// node in namespaces below, without a binfmt_misc of their own.
func emulateAsHost(ctx context.Context, s *stage.Stage) error {
	var a asHost
	if err := s.Args(&a); err != nil {
		return err
	}
	arch, err := qemu.Lookup(a.Arch, "")
	if err != nil {
		return err
	}
	if err := unix.Mount("binfmt_misc", qemu.BinfmtDir, "binfmt_misc", 0, ""); err != nil {
		return err
	}
	if a.Interpreter != "" {
		rule := qemu.Rule("host", arch, a.Interpreter, a.Flags)
		if err := os.WriteFile(qemu.BinfmtDir+"/register", []byte(rule), 0); err != nil {
			return err
		}
	}
	if !a.Own {
		if err := os.Setenv(BinfmtVar, binfmtOfHost); err != nil {
			return err
		}
	}
	h, err := Probe()
	if err != nil {
		return err
	}
	var r asHostResult
	if a.Native {
		arch = qemu.Host()
	}
	if r.Found, err = h.Emulate(ctx, arch, a.Given); err != nil {
		r.Error, r.Hint = err.Error(), host.Hint(err)
		return s.Result(r)
	}
	var out bytes.Buffer
	a.Node.Emulation, a.Node.Output = r.Found, &out
	exit, err := h.Run(ctx, a.Node)
	if err != nil {
		return err
	}
	r.Said, r.Code = out.String(), exit.Code
	return s.Result(r)
}

func TestEmulateAsHostHasIt(t *testing.T) {
	ownBinfmt(t)
	a := arch(t, "arm-64bit")
	needForeign(t, a)
	found, err := qemu.Find(a, nil)
	must(t, err)
	emulator := found.Path
	eachTier(t, func(t *testing.T, h *Host) {
		for _, c := range []struct {
			name, flags, interpreter, given string
			how                             How
			want, hint                      string
		}{
			{"with F", "OCF", emulator, "", HowHost, "", ""},
			{"with F and P", "POCF", emulator, "", HowHost, "", ""},
			{"with F, and one is named", "OCF", emulator, emulator, HowHost, "", ""},
			{"with F, and a wrong one is named", "OCF", emulator, "/nowhere/qemu", "", "/nowhere/qemu: cannot be used", "--qemu"},
			{"with F, and needs libraries", "OCF", sharedProgram(t), "", "", "has flag F, but its emulator", "echo -1 > '" + qemu.BinfmtDir + "/host'"},
			{"without F", "OC", emulator, "", HowPlaced, "", ""},
			{"without F, elsewhere", "", "/opt/emulators/some qemu/arm", "", HowPlaced, "", ""},
			{"without F, through ..", "", "/../emulator", emulator, HowPlaced, "", ""},
			{"not at all", "", "", "", "", "has registered no emulator", qemu.Rule(a.Emulator, a, emulator, "OCF")},
		} {
			t.Run(c.name, func(t *testing.T) {
				r := newRootOf(t, h, guestProgram(t, "GOARCH=arm64"), ordinary()...)
				n := r.freshWork()
				n.Spec = &specs.Spec{Process: &specs.Process{Args: []string{
					"/bin/guest", "uname", ";", "print", "two  words", ";", "write", "/etc/new", "x", ";", "wait", "print", "child",
				}}}
				p, err := h.Start(t.Context(), stage.Command{Stage: "test.emulate", Args: asHost{
					Arch: "arm-64bit", Flags: c.flags, Interpreter: c.interpreter, Given: named(c.given), Node: n,
				}})
				must(t, err)
				var got asHostResult
				must(t, p.Wait(&got))
				if c.how == "" {
					contains(t, got.Error, c.want)
					contains(t, got.Hint, c.hint)
					return
				}
				if got.Error != "" || got.Found.How != c.how || got.Code != 0 || c.how == HowHost && got.Found.Unused != c.given {
					t.Fatalf("%+v", got)
				}
				contains(t, got.Said, " aarch64\n", "two  words\n", "child\n")
				if files := filesBelow(t, n.Upper); files != "etc etc/new" {
					t.Errorf("the upper directory has %s", files)
				}
			})
		}
	})
}

func named(path string) []string {
	if path == "" {
		return nil
	}
	return []string{path}
}

// sharedProgram is a program that needs shared libraries.
func sharedProgram(t testing.TB) string {
	t.Helper()
	const p = "/bin/sh"
	if err := qemu.Usable(p); err == nil || !strings.Contains(err.Error(), "shared libraries") {
		testutil.SkipOrFail(t, "%s needs no shared libraries: %v", p, err)
	}
	return p
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

// filesBelow lists what is in a directory, by path.
func filesBelow(t testing.TB, dir string) string {
	t.Helper()
	out, err := exec.Command("find", dir, "-mindepth", "1", "-printf", "%P\n").CombinedOutput()
	must(t, err)
	return strings.Join(strings.Fields(string(out)), " ")
}
