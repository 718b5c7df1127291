package chroot

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// A process inherits much that is no file: limits, a priority, signals, processors. What of it would come from the caller of xtoo
// is set here to what is the same for everybody.

const unlimited = ^uint64(0)

// A limit is what the process of a node has. A hard limit of the caller that is lower stays, unless root may raise it.
type limit struct {
	kind       int
	name       string // of ulimit(1) or limits.conf(5)
	soft, hard uint64
	needed     bool // the soft limit shows in what is built (ARG_MAX is a quarter of the stack)
	asItIs     bool // the soft limit is the hard one, which comes from the size of the machine
}

// fixedLimits are those of every process, before what its specification says.
func fixedLimits() []limit {
	return []limit{
		{kind: unix.RLIMIT_AS, name: "as", soft: unlimited, hard: unlimited},
		{kind: unix.RLIMIT_CORE, name: "core", soft: 0, hard: unlimited}, // no core files in layers, unless asked for
		{kind: unix.RLIMIT_CPU, name: "cpu", soft: unlimited, hard: unlimited},
		{kind: unix.RLIMIT_DATA, name: "data", soft: unlimited, hard: unlimited},
		{kind: unix.RLIMIT_FSIZE, name: "fsize", soft: unlimited, hard: unlimited},
		{kind: unix.RLIMIT_LOCKS, name: "locks", soft: unlimited, hard: unlimited},
		{kind: unix.RLIMIT_MEMLOCK, name: "memlock", soft: 8 << 20, hard: 8 << 20},
		{kind: unix.RLIMIT_MSGQUEUE, name: "msgqueue", soft: 819200, hard: 819200},
		{kind: unix.RLIMIT_NICE, name: "nice"},
		{kind: unix.RLIMIT_NOFILE, name: "nofile", soft: 1024, hard: 4096, needed: true},
		{kind: unix.RLIMIT_NPROC, name: "nproc", asItIs: true},
		{kind: unix.RLIMIT_RSS, name: "rss", soft: unlimited, hard: unlimited},
		{kind: unix.RLIMIT_RTPRIO, name: "rtprio"},
		{kind: unix.RLIMIT_RTTIME, name: "rttime", soft: unlimited, hard: unlimited},
		{kind: unix.RLIMIT_SIGPENDING, name: "sigpending", asItIs: true},
		{kind: unix.RLIMIT_STACK, name: "stack", soft: 8 << 20, hard: unlimited, needed: true},
	}
}

// setLimits sets what is of the whole process, and can be set on no thread alone: limits and the umask.
func setLimits(p *specs.Process) error {
	umask := 0o022
	if p.User.Umask != nil {
		umask = int(*p.User.Umask & 0o777)
	}
	unix.Umask(umask)
	for _, l := range fixedLimits() {
		if err := l.set(); err != nil {
			return err
		}
	}
	for _, r := range p.Rlimits {
		want := syscall.Rlimit{Cur: r.Soft, Max: r.Hard}
		if err := syscall.Setrlimit(rlimitKinds()[r.Type], &want); err != nil {
			return fmt.Errorf("set limit %s: %w", r.Type, err)
		}
	}
	return nil
}

func (l limit) set() error {
	var is syscall.Rlimit
	if err := syscall.Getrlimit(l.kind, &is); err != nil {
		return fmt.Errorf("read the limit %s: %w", l.name, err)
	}
	want := syscall.Rlimit{Cur: min(l.soft, is.Max), Max: min(l.hard, is.Max)}
	if l.asItIs {
		want = syscall.Rlimit{Cur: is.Max, Max: is.Max}
	}
	if l.needed && is.Max < l.soft {
		return &host.Error{
			Err:  fmt.Errorf("the limit %s is %d here, and scripts have %d everywhere", l.name, is.Max, l.soft),
			Hint: fmt.Sprintf("raise the hard limit %s of the user to %d or more: in the shell that set it (ulimit), or in /etc/security/limits.conf", l.name, l.soft),
		}
	}
	if want == is {
		return nil
	}
	if err := syscall.Setrlimit(l.kind, &want); err != nil {
		return fmt.Errorf("set the limit %s: %w", l.name, err)
	}
	return nil
}

// resetThread sets what the process inherits from the thread that starts it: no signal is blocked, the scheduling is the
// usual, and every processor that the machine gives to this user may be used. Lowering a nice value is forbidden to
// most users: for them it stays.
func resetThread() error {
	var none unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil); err != nil {
		return fmt.Errorf("unblock all signals: %w", err)
	}
	var all [1024]byte // more processors than the kernel knows (CONFIG_NR_CPUS); it takes those that there are
	for i := range all {
		all[i] = 0xff
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, 0, uintptr(len(all)), uintptr(unsafe.Pointer(&all[0]))); errno != 0 && errno != unix.EPERM { // a filter's
		return fmt.Errorf("use all processors: %w", errno)
	}
	usual := unix.SchedAttr{Size: unix.SizeofSchedAttr}
	err := unix.SchedSetAttr(0, &usual, 0)
	if errors.Is(err, unix.EPERM) {
		nice, perr := unix.Getpriority(unix.PRIO_PROCESS, 0)
		usual.Nice = int32(20 - nice) // the system call has it upside down
		err = errors.Join(perr, unix.SchedSetAttr(0, &usual, 0))
	}
	if err != nil && !errors.Is(err, unix.EPERM) { // of an idle process: only root may make it a usual one
		return fmt.Errorf("set the usual scheduling: %w", err)
	}
	const ofThread, unset = 1, 0
	if _, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_SET, ofThread, 0, unset); errno != 0 && errno != unix.EPERM && errno != unix.ENOSYS {
		return fmt.Errorf("set the usual priority of input and output: %w", errno)
	}
	if err := setPersonality(perLinux); !errors.Is(err, unix.EPERM) { // a filter's: then it is the usual one
		return err
	}
	return nil
}

// unignoreSignals gives every signal that this process was started to ignore (by nohup, or as a job in the
// background) a handler, so that the payload has its default action: what the caller of xtoo ignores is not for
// scripts to inherit. The runtime of Go does not tell of those that stop a process.
func unignoreSignals() {
	const last = 64
	for sig := syscall.Signal(1); sig <= last; sig++ {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	signal.Notify(make(chan os.Signal, 1), unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT)
}
