package oneid

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// A worker answers one call at a time, on a thread with a root of its own, and with a working directory in which names are
// numbers of open files.
type worker struct {
	*Supervisor
	n notification
	r request

	taken taken
	text  [512]byte // of the process's memory

	files   int  // the working directory: this process's open files, in /proc
	entered bool // the thread's root was that of a process
	atHome  bool // the last process that was looked at was
}

// startWorker starts one thread that answers.
func (s *Supervisor) startWorker() error {
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: its root is its own
		w, err := s.newWorker()
		ready <- err
		if err == nil {
			w.work()
		}
	}()
	return <-ready
}

func (s *Supervisor) newWorker() (*worker, error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return nil, fmt.Errorf("give a thread a root of its own: %w", err)
	}
	files, err := openPath(int(s.o.Proc.Fd()), "self/fd", unix.O_DIRECTORY)
	if err != nil {
		return nil, fmt.Errorf("open /proc/self/fd: %w", err)
	}
	if err := unix.Fchdir(files); err != nil {
		closeFD(files)
		return nil, fmt.Errorf("go to /proc/self/fd: %w", err)
	}
	unix.Umask(0)
	return &worker{Supervisor: s, files: files}, nil
}

// work answers until the listener's processes are gone, or until others are enough. On kernels before 6.11 it then waits in vain, and
// ends with init.
func (w *worker) work() {
	defer closeFD(w.files)
	defer w.taken.close()
	var p pace
	for !w.crew.receive(w.listener, &w.n, &p) {
		w.handle()
	}
}

// handle answers the call that was received.
func (w *worker) handle() {
	a := w.decide()
	if a.sent {
		return
	}
	resp := response{id: w.n.id, val: a.value, errno: -int32(a.errno)}
	if a.proceed {
		resp = response{id: w.n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	}
	w.listener.send(&resp)
}

func (w *worker) decide() answer {
	for i := range w.tables {
		t := &w.tables[i]
		if t.abi.arch != w.n.arch || t.by == nil {
			continue
		}
		if n := int(w.n.nr); n >= 0 && n < len(t.by) && t.by[n] != nil {
			w.r = request{w: w, abi: &t.abi, call: t.by[n], tid: int(w.n.pid), args: w.n.args}
			if t.abi.narrow {
				for j := range w.r.args {
					w.r.args[j] &= 0xffffffff
				}
			}
			return t.by[n].do(&w.r)
		}
	}
	return proceed() // not from our filter
}
