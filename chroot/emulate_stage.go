package chroot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

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
	Unavailable string // why there is no binfmt_misc of one's own here
}

func (w emulateAnswer) emulation(a qemu.Arch, emulator string) Emulation {
	if w.Emulator != "" {
		emulator = w.Emulator
	}
	if w.How == HowCompat || w.How == HowHost {
		emulator = ""
	}
	return Emulation{Arch: a, How: w.How, Emulator: emulator, Flags: w.Flags, Interpreter: w.Interpreter}
}

// emulateInside is the stage of Emulate.
func emulateInside(ctx context.Context, s *Stage) error {
	var a emulateArgs
	if err := s.Args(&a); err != nil {
		return err
	}
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

// A tryout executes the trial program of an architecture in a root that holds nothing else.
type tryout struct {
	arch qemu.Arch
	root *os.File
}

const trialProgram = "/trial"

func newTryout(a qemu.Arch) (*tryout, error) {
	root, err := detached("tmpfs", map[string]string{"mode": "0755"})
	if err != nil {
		return nil, err
	}
	t := &tryout{arch: a, root: root}
	if err := os.WriteFile(fdPath(root)+trialProgram, a.Trial(), 0o755); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return t, nil
}

func (t *tryout) close() { _ = t.root.Close() } // a scratch file system

// own tries this machine's 32-bit kind, and then the emulator in a binfmt_misc of our own.
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
	}
	return emulateAnswer{How: howNothing, Why: fmt.Sprintf("the emulator %s %s", emulator, out)}, nil
}

// host tries what the host has registered.
func (t *tryout) host(ctx context.Context, emulator string) (emulateAnswer, error) {
	none := emulateAnswer{How: howNothing}
	if works, err := t.compat(ctx); works || err != nil {
		return emulateAnswer{How: HowCompat}, err
	}
	out, err := t.run(ctx, false)
	switch {
	case err != nil:
		return none, err
	case out.works():
		return emulateAnswer{How: HowHost}, nil
	case errors.Is(out.err, unix.ENOEXEC):
		none.Why = "the host has registered no emulator in binfmt_misc"
		return none, nil
	case !errors.Is(out.err, unix.ENOENT):
		none.Why = "the emulator that the host has registered in binfmt_misc " + out.String()
		return none, nil
	}
	return t.placed(ctx, emulator)
}

// placed tries a registration of the host's that expects the emulator in the root.
func (t *tryout) placed(ctx context.Context, emulator string) (emulateAnswer, error) {
	none := emulateAnswer{How: howNothing}
	all, err := qemu.Registrations(qemu.BinfmtDir)
	if err != nil {
		return none, err
	}
	for _, r := range all {
		if !r.Runs(t.arch) || !strings.HasPrefix(r.Interpreter, "/") {
			continue
		}
		from := emulator
		if from == "" {
			from = r.Interpreter
			if err := qemu.Usable(from); err != nil {
				none.Why = fmt.Sprintf("the host's registration %s lacks flag F, and %v", r.Name, err)
				continue
			}
		}
		out, err := t.withEmulator(ctx, from, r.Interpreter)
		if err != nil {
			return none, err
		}
		if out.works() {
			return emulateAnswer{How: HowPlaced, Interpreter: r.Interpreter, Emulator: from}, nil
		}
		none.Why = fmt.Sprintf("the emulator %s %s", from, out)
	}
	if none.Why == "" {
		none.Why = "the host's registration in binfmt_misc lacks flag F, and " + qemu.BinfmtDir + " does not show where it expects the emulator"
	}
	return none, nil
}

// withEmulator runs the trial with a copy of the emulator in the root.
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

// An outcome is how the trial program ended.
type outcome struct {
	err  error // it could not be executed
	ws   syscall.WaitStatus
	said string
	late bool
}

// trialArgs are the arguments of the trial program, which counts them.
func trialArgs() []string { return []string{"trial", "of", "arguments"} }

// works: it ran, and got its arguments.
func (o outcome) works() bool {
	return o.err == nil && !o.late && o.ws.Exited() && o.ws.ExitStatus() == len(trialArgs())
}

// String ends a sentence that begins with the emulator.
func (o outcome) String() string {
	var s string
	switch {
	case o.late:
		return fmt.Sprintf("did not execute a trial program within %s", trialTime)
	case errors.Is(o.err, unix.ENOENT):
		return "is registered without flag F, and is not in the root"
	case o.err != nil:
		return "cannot be executed: " + o.err.Error()
	case o.ws.Signaled():
		s = fmt.Sprintf("was killed by signal %d (%s) when it executed a trial program", int(o.ws.Signal()), o.ws.Signal())
	case o.ws.ExitStatus() == len(trialArgs())+1:
		s = "does not hand on a program's arguments as they are"
	default:
		s = fmt.Sprintf("failed to execute a trial program (exit code %d)", o.ws.ExitStatus())
	}
	if o.said != "" {
		s += ": " + o.said
	}
	return s
}

// trialTime is how long the trial program may take: it needs a hundredth of a second.
const trialTime = 10 * time.Second

// run executes the trial program once.
func (t *tryout) run(ctx context.Context, compat bool) (outcome, error) {
	memory, err := unix.MemfdCreate("xtoo-trial-output", unix.MFD_CLOEXEC)
	if err != nil {
		return outcome{}, fmt.Errorf("make an anonymous file: %w", err)
	}
	out := os.NewFile(uintptr(memory), "output of the trial")
	defer out.Close() // an anonymous file
	null, err := os.Open(os.DevNull)
	if err != nil {
		return outcome{}, err
	}
	defer null.Close() // read only
	env := []string{}
	if t.arch.CPU != "" {
		env = append(env, qemu.CPUVar+"="+t.arch.CPU)
	}
	attr := &syscall.ProcAttr{
		Dir: "/", Env: env, Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
		Sys: &syscall.SysProcAttr{Chroot: fdPath(t.root), Setsid: true, Pdeathsig: syscall.SIGKILL},
	}
	type started struct {
		pid int
		err error
	}
	result, ended := make(chan started), make(chan syscall.WaitStatus, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the personality goes with the thread, and so does the child's parent
		if compat {
			if err := setPersonality(perLinux32); err != nil {
				result <- started{err: err}
				return
			}
		}
		pid, err := syscall.ForkExec(trialProgram, trialArgs(), attr)
		result <- started{pid, err}
		if err != nil {
			return
		}
		var ws syscall.WaitStatus
		for {
			if _, err := syscall.Wait4(pid, &ws, 0, nil); !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		ended <- ws
	}()
	r := <-result
	if r.err != nil {
		return outcome{err: r.err}, nil
	}
	o := outcome{}
	late := time.NewTimer(trialTime)
	defer late.Stop()
	select {
	case o.ws = <-ended:
	case <-late.C:
		o.late = true
	case <-ctx.Done():
	}
	if o.late || ctx.Err() != nil {
		_ = syscall.Kill(r.pid, syscall.SIGKILL) // fails only when it has ended
		<-ended
	}
	said := make([]byte, 400)
	n, _ := out.ReadAt(said, 0) // what it said is a courtesy
	o.said = oneLine(said[:n])
	return o, ctx.Err()
}

// oneLine makes words of what a program printed.
func oneLine(b []byte) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, string(bytes.ToValidUTF8(b, []byte("?"))))), " ")
}
