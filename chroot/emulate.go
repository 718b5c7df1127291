package chroot

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
	"xtoo/qemu"
)

// BinfmtVar names the environment variable under which [Host.Emulate] does without a binfmt_misc of its own, as on a
// kernel before 6.7: "host". It is there to test that.
const BinfmtVar = "XTOO_BINFMT"

// binfmtOfHost is the value of BinfmtVar.
const binfmtOfHost = "host"

// A How says in which way programs of an architecture are executed.
type How string

// The ways.
const (
	HowNative  How = ""        // by this machine, as its own
	HowCompat  How = "compat"  // by this machine, as those of its 32-bit kind
	HowOwn     How = "own"     // emulated, registered in each namespace
	HowHost    How = "host"    // emulated as the host has it registered, for every root
	HowPlaced  How = "placed"  // emulated as the host has it registered, by an emulator that each root is lent
	howNothing How = "nothing" // not at all
)

// An Emulation is how the nodes of an architecture are executed on a host: what [Host.Emulate] found out. The zero
// value executes programs as they are. It is sent to the processes in namespaces, and kept in records, as JSON; the names
// there are those of the fields.
type Emulation struct {
	Arch qemu.Arch
	How  How
	// Emulator is its path on the host; empty where none is used, or the host's own registration has it.
	Emulator string `json:"Emulator"`
	// Flags of the registration that each namespace gets, or Interpreter, the path at which the host's registration
	// expects the emulator.
	Flags       string `json:"Flags"`
	Interpreter string `json:"Interpreter"`
	// Unused is the emulator that the user named, where it is not used.
	Unused string `json:"Unused"`
}

// Emulated reports whether an emulator executes the programs.
func (e Emulation) Emulated() bool {
	return e.How == HowOwn || e.How == HowHost || e.How == HowPlaced
}

// String says it in words: "native", "qemu-aarch64 (/usr/bin/qemu-aarch64-static)".
func (e Emulation) String() string {
	switch e.How {
	case HowNative:
		return "native"
	case HowCompat:
		return "native, with a 32-bit personality"
	case HowOwn:
		return fmt.Sprintf("%s (%s), registered in each namespace", e.Arch.Emulator, e.Emulator)
	case HowPlaced:
		return fmt.Sprintf("%s (%s), lent to each root as %s: the host's registration lacks flag F", e.Arch.Emulator, e.Emulator, e.Interpreter)
	case HowHost:
		s := e.Arch.Emulator + ", as the host has it registered"
		if e.Unused != "" {
			s += " (" + e.Unused + " cannot be registered, and is not used)"
		}
		return s
	}
	return string(e.How)
}

// ownBinfmt reports whether the namespaces of nodes get a binfmt_misc of their own, where the kernel has that. Native
// nodes get an empty one: whether a program of another machine, which a configure script tries out, can be executed
// shall not depend on what the host has registered.
func (e Emulation) ownBinfmt() (bool, error) {
	ofHost, err := binfmtIsHost()
	return e.How != HowHost && e.How != HowPlaced && !ofHost, err
}

// begin makes the namespace's binfmt_misc and registers the emulator, if one is used. What it returns is closed when the
// last process has ended.
func (e Emulation) begin() (*binfmt, error) {
	b, err := newBinfmt()
	if errors.Is(err, errNoBinfmt) && e.How != HowOwn {
		return nil, nil
	}
	if err == nil && e.How == HowOwn {
		if err = b.register(e.Arch, e.Emulator, e.Flags); err != nil {
			err = errors.Join(err, b.Close())
		}
	}
	if err != nil {
		return nil, &host.Error{Err: fmt.Errorf("%s: %w: %w", e.Arch, ErrNoEmulation, err), Hint: "see what xtoo doctor says about " + e.Arch.Name}
	}
	return b, nil
}

// lend binds the emulator to where the host's registration expects it, for as long as the node runs.
func (g *guest) lend(emulator *os.File, at string) error {
	at, err := g.bind(emulator, at, false)
	if err != nil {
		return fmt.Errorf("lend the emulator to the root: %w", err)
	}
	return setReadonly(at)
}

// Emulate finds out how this host executes programs of an architecture, by executing one: natively; as 32-bit
// programs of its own kind; under an emulator (see [qemu.Find] for given) that is registered in a namespace of our
// own, on Linux 6.7 and later; or as the host's administrator has registered one. It takes a few hundredths of a
// second where the architecture is not this machine's own, and leaves nothing behind.
//
// The error wraps [ErrNoEmulation].
func (h *Host) Emulate(ctx context.Context, a qemu.Arch, given []string) (Emulation, error) {
	if a.IsZero() || a.ELF == qemu.Host().ELF {
		return Emulation{Arch: a}, nil
	}
	ofHost, err := binfmtIsHost()
	if err != nil {
		return Emulation{}, err
	}
	t := attempt{arch: a}
	t.emulator, t.findErr = qemu.Find(a, given)
	if t.findErr != nil && t.emulator.Given { // what the user named is not passed over
		return Emulation{}, t.failed()
	}
	args := emulateArgs{Arch: a.Name, Subarch: a.Subarch, Emulator: t.emulator.Path, Own: true}
	t.own = emulateAnswer{How: howNothing, Unavailable: BinfmtVar + "=" + binfmtOfHost + " is set"}
	if !ofHost {
		if t.own, err = h.tryEmulation(ctx, args); err != nil {
			return Emulation{}, err
		}
	}
	if t.own.How == howNothing && (t.own.Unavailable != "" || !t.emulator.Given) {
		args.Own = false
		if t.host, err = h.tryEmulation(ctx, args); err != nil {
			return Emulation{}, err
		}
		if t.host.How != howNothing {
			return t.emulation(t.host), nil
		}
	}
	if t.own.How == howNothing {
		return Emulation{}, t.failed()
	}
	return t.emulation(t.own), nil
}

// An attempt is what Emulate has tried so far.
type attempt struct {
	arch      qemu.Arch
	emulator  qemu.Emulator
	findErr   error
	own, host emulateAnswer
}

// emulation is what an answer means.
func (t *attempt) emulation(w emulateAnswer) Emulation {
	e := Emulation{Arch: t.arch, How: w.How, Flags: w.Flags, Interpreter: w.Interpreter}
	switch w.How {
	case HowOwn, HowPlaced:
		if e.Emulator = w.Emulator; e.Emulator == "" {
			e.Emulator = t.emulator.Path
		}
	case HowHost:
		if t.emulator.Given {
			e.Unused = t.emulator.Path
		}
	}
	return e
}

// binfmtIsHost reads BinfmtVar.
func binfmtIsHost() (bool, error) {
	switch v := os.Getenv(BinfmtVar); v {
	case "", binfmtOfHost:
		return v != "", nil
	default:
		return false, fmt.Errorf("environment variable %s=%q: must be %q or empty", BinfmtVar, v, binfmtOfHost)
	}
}

func (h *Host) tryEmulation(ctx context.Context, args emulateArgs) (emulateAnswer, error) {
	// A process namespace of its own: nothing of what an emulator starts outlives the trial.
	p, err := h.Start(ctx, stage.Command{Stage: stageEmulate, Args: args, Namespaces: unix.CLONE_NEWPID})
	if err != nil {
		return emulateAnswer{}, err
	}
	var answer emulateAnswer
	err = p.Wait(&answer)
	return answer, err
}
