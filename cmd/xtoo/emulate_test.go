package main

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"xtoo/chroot"
	"xtoo/internal/testutil"
	"xtoo/internal/testutil/asm"
	"xtoo/qemu"
)

// canEmulate reports whether programs of all these architectures can be executed here, by emulators if need be.
func canEmulate(names ...string) (bool, error) {
	h, err := chroot.Probe()
	if err != nil {
		return false, err
	}
	for _, name := range names {
		a, err := qemu.Lookup(name, "")
		if err != nil {
			return false, err
		}
		if _, err = h.Emulate(context.Background(), a, nil); err != nil {
			if os.Getenv(testutil.NoSkipVar) != "" {
				return false, err
			}
			return false, nil
		}
	}
	return true, nil
}

// executes386 reports whether the processor and kernel of this machine execute 32-bit x86 programs. Where the host has an
// emulator registered for them, which hides that, xtoo itself is asked.
func executes386(t *testing.T) (bool, error) {
	a, err := qemu.Lookup("x86-32bit", "")
	if err != nil {
		return false, err
	}
	all, err := qemu.Registrations(qemu.BinfmtDir)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(all, func(r qemu.Registration) bool { return r.Runs(a) }) {
		return asm.Runs(t, a.ELF.Machine), nil
	}
	h, err := chroot.Probe()
	if err != nil {
		return false, err
	}
	e, err := h.Emulate(context.Background(), a, nil)
	return e.How == chroot.HowCompat, err
}

// tiny-stage3 ARCH FILE: a stage3 that holds tiny programs of an architecture and little else. Its /bin/sh tells where it
// is and what it was given, and writes a file; its /bin/first removes a directory, too.
func cmdTinyStage3(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: tiny-stage3 ARCH FILE")
	}
	a, err := qemu.Lookup(args[0], "")
	ts.Check(err)
	tell := []asm.Step{asm.Print("machine "), asm.Machine(), asm.Given()}
	first, err := asm.Program(a.ELF.Machine, append(tell, asm.WriteFile("/etc/first", "here\n"), asm.Rmdir("/var/tmp"))...)
	ts.Check(err)
	sh, err := asm.Program(a.ELF.Machine, append(tell, asm.WriteFile("/etc/machine", a.Uname+"\n"))...)
	ts.Check(err)
	var members []testutil.Member
	for _, d := range []string{"./", "./bin/", "./dev/", "./etc/", "./proc/", "./sys/", "./tmp/", "./var/", "./var/tmp/"} {
		members = append(members, testutil.Dir(d))
	}
	members = append(members, testutil.File("./bin/first", string(first)).WithMode(0o755), testutil.File("./bin/sh", string(sh)).WithMode(0o755))
	data, err := testutil.MakeTar(members...)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}
