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

// A tryout executes the trial program of an architecture in a root that holds nothing else.
type tryout struct {
	arch qemu.Arch
	root *os.File
}

const trialProgram = "/trial"

func newTryout(a qemu.Arch) (*tryout, error) {
	root, err := emptyRoot()
	if err != nil {
		return nil, err
	}
	t := &tryout{arch: a, root: root}
	if err := os.WriteFile(fdPath(root)+trialProgram, a.Trial(), 0o755); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return t, nil
}

// emptyRoot makes a root that is mounted nowhere, or, where that cannot be (before Linux 5.2, under some seccomp filters),
// over a directory that this stage does not need in a mount namespace that is its own.
func emptyRoot() (*os.File, error) {
	const options, place = "mode=0755", "/sys"
	root, err := detached("tmpfs", map[string]string{"mode": "0755"})
	if err == nil {
		return root, nil
	}
	if mountErr := unix.Mount("tmpfs", place, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); mountErr != nil {
		return nil, errors.Join(err, &mountError{kind: "tmpfs", at: place, err: mountErr})
	}
	return os.Open(place)
}

func (t *tryout) close() { _ = t.root.Close() } // a scratch file system

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
		return "is not there, or needs shared libraries"
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
	out, err := smallFile(maxPrinted)
	if err != nil {
		return outcome{}, err
	}
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
	pid, ended, err := startTrial(attr, compat)
	if err != nil {
		return outcome{err: err}, nil
	}
	var o outcome
	late := time.NewTimer(trialTime)
	defer late.Stop()
	select {
	case o.ws = <-ended:
	case <-late.C:
		o.late = true
		end(pid, ended)
	case <-ctx.Done():
		end(pid, ended)
		return o, ctx.Err()
	}
	said := make([]byte, maxPrinted)
	n, _ := out.ReadAt(said, 0) // what it said is a courtesy
	said = bytes.TrimRight(said[:n], "\x00")
	o.said = oneLine(said[:min(len(said), maxShown)])
	return o, nil
}

// How much of what the trial program prints is kept, and how much of that is shown, in bytes.
const maxPrinted, maxShown = 4096, 400

// smallFile makes an anonymous file that cannot grow: an emulator may print without an end.
func smallFile(size int64) (*os.File, error) {
	fd, err := unix.MemfdCreate("xtoo-trial-output", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make an anonymous file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "output of the trial")
	err = f.Truncate(size)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make an anonymous file: %w", err), f.Close())
	}
	return f, nil
}

// startTrial starts the trial program on a thread of its own, which ends with it: the personality is the thread's, and
// the parent-death signal comes with the thread's death. The channel says how the program ended.
func startTrial(attr *syscall.ProcAttr, compat bool) (pid int, ended <-chan syscall.WaitStatus, err error) {
	type started struct {
		pid int
		err error
	}
	result, done := make(chan started), make(chan syscall.WaitStatus, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		var s started
		if compat {
			s.err = setPersonality(perLinux32)
		}
		if s.err == nil {
			s.pid, s.err = syscall.ForkExec(trialProgram, trialArgs(), attr)
		}
		result <- s
		if s.err != nil {
			return
		}
		var ws syscall.WaitStatus
		for {
			if _, err := syscall.Wait4(s.pid, &ws, 0, nil); !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		done <- ws
	}()
	s := <-result
	return s.pid, done, s.err
}

// end kills the trial program and waits for it.
func end(pid int, ended <-chan syscall.WaitStatus) {
	_ = syscall.Kill(pid, syscall.SIGKILL) // fails only when it has ended
	<-ended
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
