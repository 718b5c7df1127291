package chroot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/chroot/stage"
	"xtoo/qemu"
)

// emulateArgs say what to try.
type emulateArgs struct {
	Arch, Subarch string
	Emulator      string // its path; "" if there is none
	Own           bool   // with a binfmt_misc of this namespace's own; else as the host has it
}

// emulateAnswer is what came of it.
type emulateAnswer struct {
	How         How
	Flags       string
	Interpreter string
	Emulator    string // where it is not the one of the arguments
	Why         string // where How is howNothing
	Blame       bool   // Why is the emulator's fault
	Unavailable string // why there is no binfmt_misc of one's own here
}

// emulateInside is the stage of Emulate.
func emulateInside(ctx context.Context, s *stage.Stage) error {
	var a emulateArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	unix.Umask(0)
	arch, err := qemu.Lookup(a.Arch, a.Subarch)
	if err != nil {
		return err
	}
	t, err := newTryout(arch)
	if err != nil {
		return err
	}
	defer t.close()
	var w emulateAnswer
	if a.Own {
		w, err = t.own(ctx, a.Emulator)
	} else {
		w, err = t.host(ctx, a.Emulator)
	}
	if err != nil {
		return err
	}
	return s.Result(w)
}

// own tries this machine's 32-bit kind, the machine itself, and then the emulator in a binfmt_misc of our own.
func (t *tryout) own(ctx context.Context, emulator string) (emulateAnswer, error) {
	b, err := newBinfmt()
	if errors.Is(err, errNoBinfmt) {
		return emulateAnswer{How: howNothing, Unavailable: explainBinfmt(err)}, nil
	}
	if err != nil {
		return emulateAnswer{}, err
	}
	defer func() { _ = b.Close() }() // it goes with the process
	if works, err := t.compat(ctx); works || err != nil {
		return emulateAnswer{How: HowCompat}, err
	}
	// A 32-bit xtoo may run on a kernel that executes 64-bit programs.
	if out, err := t.run(ctx, false); out.works() || err != nil {
		return emulateAnswer{How: HowNative}, err
	}
	if emulator == "" {
		return emulateAnswer{How: howNothing}, nil
	}
	var out outcome
	// Emulators before qemu 6 do not know the flag P, and take argv[0] for one argument more.
	for _, flags := range []string{qemu.FlagOpen + qemu.FlagCredentials + qemu.FlagPreserve, qemu.FlagOpen + qemu.FlagCredentials} {
		if err := b.register(t.arch, emulator, flags); err != nil {
			return emulateAnswer{How: howNothing, Why: err.Error()}, nil
		}
		if out, err = t.run(ctx, false); err != nil {
			return emulateAnswer{}, err
		}
		if out.works() {
			return emulateAnswer{How: HowOwn, Flags: flags}, nil
		}
		if err := b.unregister(); err != nil {
			return emulateAnswer{}, err
		}
		if out.late {
			break
		}
	}
	return emulateAnswer{How: howNothing, Blame: true, Why: fmt.Sprintf("the emulator %s %s", emulator, out)}, nil
}

// host tries what the host has registered.
func (t *tryout) host(ctx context.Context, emulator string) (emulateAnswer, error) {
	none := emulateAnswer{How: howNothing}
	registered, regErr := t.registered()
	if len(registered) == 0 { // else it is the emulator that would execute them: binfmt_misc goes first
		if works, err := t.compat(ctx); works || err != nil {
			return emulateAnswer{How: HowCompat}, err
		}
	}
	out, err := t.run(ctx, false)
	switch {
	case err != nil:
		return none, err
	case out.works():
		return emulateAnswer{How: HowHost}, nil
	case errors.Is(out.err, unix.ENOEXEC):
		none.Why = "the host has registered no emulator in binfmt_misc"
	case !errors.Is(out.err, unix.ENOENT):
		none.Why = "the emulator that the host has registered in binfmt_misc " + out.String()
	case regErr != nil:
		none.Why = regErr.Error()
	default:
		return t.placed(ctx, emulator, registered)
	}
	return none, nil
}

// registered lists what the host has for the architecture, as far as it shows.
func (t *tryout) registered() ([]qemu.Registration, error) {
	all, err := qemu.Registrations(qemu.BinfmtDir)
	return slices.DeleteFunc(all, func(r qemu.Registration) bool { return !r.Runs(t.arch) }), err
}

// placed tries registrations of the host's that expect the emulator in the root.
func (t *tryout) placed(ctx context.Context, emulator string, registered []qemu.Registration) (emulateAnswer, error) {
	none := emulateAnswer{
		How: howNothing,
		Why: "the host's registration in binfmt_misc lacks flag F, and " + qemu.BinfmtDir + " does not show where it expects the emulator",
	}
	for _, r := range registered {
		from := emulator
		switch {
		case r.Fixed():
			none.Why = fmt.Sprintf("the host's registration %s has flag F, but its emulator %s needs shared libraries", r.Name, r.Interpreter)
			continue
		case !strings.HasPrefix(r.Interpreter, "/"):
			none.Why = fmt.Sprintf("the host's registration %s lacks flag F, and names its emulator by %q, which is no path", r.Name, r.Interpreter)
			continue
		case from == "":
			from = r.Interpreter
			if err := qemu.Usable(from); err != nil {
				none.Why = fmt.Sprintf("the host's registration %s lacks flag F, and %v", r.Name, err)
				continue
			}
		}
		at := path.Clean(r.Interpreter)
		out, err := t.withEmulator(ctx, from, at)
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
		if err == nil && out.works() {
			return emulateAnswer{How: HowPlaced, Interpreter: at, Emulator: from}, nil
		}
		none.Why = fmt.Sprintf("the emulator %s %s", from, out)
		if err != nil {
			none.Why = fmt.Sprintf("the emulator %s as %s: %v", from, at, err)
		}
	}
	return none, nil
}

// withEmulator runs the trial with a copy of the emulator in the root. The error is that of making the copy.
func (t *tryout) withEmulator(ctx context.Context, from, at string) (outcome, error) {
	data, err := os.ReadFile(from)
	if err != nil {
		return outcome{}, err
	}
	root, err := os.OpenRoot(fdPath(t.root))
	if err != nil {
		return outcome{}, err
	}
	defer root.Close() // of a scratch file system
	name := strings.TrimLeft(at, "/")
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		if err := root.MkdirAll(name[:i], 0o755); err != nil {
			return outcome{}, err
		}
	}
	if err := root.WriteFile(name, data, 0o755); err != nil {
		return outcome{}, err
	}
	return t.run(ctx, false)
}

// compat tries whether this machine's processor executes the program as a 32-bit one of its own kind.
func (t *tryout) compat(ctx context.Context) (bool, error) {
	if !qemu.Host().RunsAsCompat(t.arch) {
		return false, nil
	}
	out, err := t.run(ctx, true)
	return out.works(), err
}
