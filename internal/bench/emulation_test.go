package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

// TestLacksEmulation: the rows say what is lacking instead of failing.
func TestLacksEmulation(t *testing.T) {
	for _, c := range []struct{ arm, want string }{
		{"", "| no -stage3-arm FILE |"},
		{"stage3.tar.xz", "| no qemu-aarch64-static |"},
	} {
		t.Setenv("PATH", t.TempDir())
		b := &bench{options: options{arm: c.arm}}
		rows, err := b.emulation(t.Context())
		if err != nil || len(rows) != 2 {
			t.Fatalf("%v, %v", rows, err)
		}
		var out strings.Builder
		if err := b.print(&out, rows); err != nil {
			t.Fatal(err)
		}
		if strings.Count(out.String(), c.want) != 2 {
			t.Errorf("want %s twice in\n%s", c.want, out.String())
		}
	}
}

// TestEmulatedChroot: what emulation is compared with works, whoever the user is.
func TestEmulatedChroot(t *testing.T) {
	testutil.Long(t, "compiles the demo's userland for another architecture")
	arch, err := emulated()
	if err != nil {
		t.Fatal(err)
	}
	testutil.Need(t, arch.Emulator+"-static", "go", "bash", "tar", "unshare", "mount", "chroot")
	if _, said, err := (testutil.Tool{}).Try(t, "unshare", "--user", "--map-root-user", "--mount",
		"mount", "-t", "binfmt_misc", "binfmt_misc", "/proc/sys/fs/binfmt_misc"); err != nil {
		testutil.SkipOrFail(t, "no binfmt_misc in a namespace of its own (Linux 6.7): %s", said)
	}
	dir := t.TempDir()
	stage3, root := filepath.Join(dir, "stage3.tar"), filepath.Join(dir, "root")
	if _, err := command(t.Context(), "", []string{"CGO_ENABLED=0"}, "go", "run", "-trimpath", "-buildvcs=false", "xtoo/internal/demostage", "-arch", arch.String(), "-o", stage3); err != nil {
		t.Fatal(err)
	}
	b := &bench{dir: dir}
	if err := b.unpack(t.Context(), stage3, root); err != nil {
		t.Fatal(err)
	}
	s, err := emulatedChroot(t.Context(), arch, root, loop(2)+"; uname -m > /tmp/machine")
	if err != nil || s.wall <= 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "tmp/machine")); err != nil || string(got) != arch.Uname+"\n" {
		t.Errorf("uname -m is %q, %v", got, err)
	}
	if _, err := emulatedChroot(t.Context(), arch, root, "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("the error does not say why: %v", err)
	}
}
