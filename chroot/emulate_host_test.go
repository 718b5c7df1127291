package chroot

import (
	"bytes"
	"context"
	"os"
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
				n := newForeignRoot(t, h, a).freshWork()
				n.Spec = &specs.Spec{Process: &specs.Process{Args: []string{"/bin/guest", "two  words"}}}
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
				if got.Error != "" || got.Found.How != c.how || got.Code != 7 || c.how == HowHost && got.Found.Unused != c.given {
					t.Fatalf("%+v", got)
				}
				contains(t, got.Said, "aarch64\n", "two  words\n", "child /bin/child\nof it\n")
				if files := strings.Join(testutil.Paths(t, n.Upper), " "); files != "etc etc/new" {
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
