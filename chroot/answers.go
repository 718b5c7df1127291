package chroot

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/chroot/oneid"
)

// answers are what init gives to the calls of a node's processes in place of the kernel: see package oneid.
type answers struct {
	mode oneid.Mode
	proc *os.File
	by   *oneid.Supervisor // nil: the process has init's user namespace, and less than init's rights: nothing is answered
	why  error             // nothing can be answered here

	unread   atomic.Bool // see Exit.Unread
	unsteady atomic.Bool // see Exit.Unsteady
}

// newAnswers is called when the root is furnished. give up ends the script.
func newAnswers(a *nodeArgs, g *guest, giveUp func(), log *slog.Logger) (*answers, error) {
	if a.Spec.Process.Capabilities != nil {
		return &answers{}, nil
	}
	proc, err := os.OpenFile("/proc", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(proc.Fd()), &st); err != nil || st.Type != unix.PROC_SUPER_MAGIC {
		return nil, errors.Join(err, proc.Close(), errors.New("/proc of the image leads elsewhere"))
	}
	given := &answers{mode: oneid.Mode{UIDs: ranges(a.Ids.UIDs), GIDs: ranges(a.Ids.GIDs), ReadBack: a.ReadBack, Steady: a.Steady && a.isRoot()}, proc: proc}
	unread := func() {
		given.unread.Store(true)
		giveUp()
	}
	unsteady := func() {
		given.unsteady.Store(true)
		giveUp()
	}
	given.by, err = oneid.New(oneid.Options{
		Mode: given.mode, Proc: proc, Own: slices.Collect(maps.Keys(g.scratch)), Lists: a.Lists, Unread: unread, Unsteady: unsteady, Log: log,
	})
	if err != nil {
		return nil, errors.Join(err, proc.Close())
	}
	return given, nil
}

// isRoot says that the process begins as user 0, and as nobody else beside.
func (a *nodeArgs) isRoot() bool {
	u := a.Spec.Process.User
	return u.UID == 0 && u.GID == 0 && len(u.AdditionalGids) == 0
}

// grace is the time that processes have to end: none where what they did is forgotten, and done again.
func (a *answers) grace(usual time.Duration) time.Duration {
	if a.unsteady.Load() {
		return 0
	}
	return usual
}

// ranges are the ids of a map as they are inside, in ascending order.
func ranges(m []specs.LinuxIDMapping) []oneid.Range {
	var all []oneid.Range
	sorted := slices.SortedFunc(slices.Values(m), func(a, b specs.LinuxIDMapping) int { return cmp.Compare(a.ContainerID, b.ContainerID) })
	for _, r := range sorted {
		last := r.ContainerID + (r.Size - 1)
		if n := len(all); n > 0 && all[n-1].Last+1 == r.ContainerID {
			all[n-1].Last = last
			continue
		}
		all = append(all, oneid.Range{First: r.ContainerID, Last: last})
	}
	return all
}

// begin is called on the thread that starts the process of the node.
func (a *answers) begin() error {
	if a.by == nil {
		_ = oneid.InstallPlain(a.mode) // where that is forbidden, init goes without
		return nil
	}
	listener, err := oneid.Install(a.mode)
	if errors.Is(err, oneid.ErrNoNotification) {
		a.why = errors.Join(err, oneid.InstallPlain(a.mode)) // without that, too, the kernel refuses as it does
		return nil
	}
	if err == nil {
		err = a.by.Serve(listener)
	}
	if err != nil {
		return fmt.Errorf("answer the calls of a node: %w", err)
	}
	return nil
}

// become has the process that is started next begin as a user: what it returns is the kernel's part of that. With one id the
// kernel has none, and done is called when the process is there.
func (a *answers) become(u specs.User) (kernel *syscall.Credential, done func() error, err error) {
	kernel = credential(u)
	if kernel == nil || a.by == nil || !a.mode.Exact() {
		return kernel, func() error { return nil }, nil
	}
	if err := a.by.Begin(u.UID, u.GID, u.AdditionalGids); err != nil {
		return nil, nil, fmt.Errorf("run as user %d: %w", u.UID, err)
	}
	return nil, a.by.Begun, nil
}

// tryAnswers installs a filter with a listener on a thread that ends then.
func tryAnswers() error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		listener, err := oneid.Install(oneid.Mode{UIDs: []oneid.Range{{}}, GIDs: []oneid.Range{{}}})
		if err == nil {
			err = listener.Close()
		}
		done <- err
	}()
	err := <-done
	if errors.Is(err, oneid.ErrNoNotification) {
		return &host.Error{Err: err, Hint: "images are built, but owners outside of this user's ids, device nodes and trusted attributes that scripts ask for are not in them, " +
			"and they get the label xtoo.inexact: it needs Linux 5.8 or later, kernel.yama.ptrace_scope below 3, " +
			"and containers must let seccomp, process_vm_readv, setns, statx and unshare pass (`--security-opt seccomp=unconfined`)"}
	}
	return err
}

// end is called when no process is left. It says in exit how exact the answers were.
func (a *answers) end(exit *Exit) error {
	if a.by == nil {
		return nil
	}
	lost, err := a.by.Close()
	if exit != nil {
		if a.why != nil {
			lost = append(lost, "what a script gives to users and groups that this user does not have stays root's: "+a.why.Error())
		}
		exit.Inexact, exit.Unread, exit.Unsteady = lost, a.unread.Load(), a.unsteady.Load()
		exit.Exact = a.mode.Exact() && a.why == nil && len(lost) == 0
	}
	return errors.Join(err, a.proc.Close())
}
