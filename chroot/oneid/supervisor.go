package oneid

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// Options of a [Supervisor].
type Options struct {
	Mode Mode // that the filter was installed for
	// Proc is the /proc of this process's namespace, which shows all processes of the node. Borrowed until the end.
	Proc *os.File
	// Own are the file systems, as stat(2) numbers them, beside the root's own that the node may record on: its own in memory.
	// On others that are mounted when Serve is called, nothing is ever recorded: they are the host's.
	Own []uint64
	// Lists: directories of the node may have default access control lists that only records tell.
	Lists bool
	// Unread is called when an owner or a device is to be recorded in a mode that would not read it back. The call is then never
	// answered: what the script does is good for nothing, and has to be ended.
	Unread func()
	// Log takes what is for developers. Default: nothing is logged.
	Log *slog.Logger
}

// A Supervisor answers the calls of the processes of one node.
type Supervisor struct {
	o        Options
	listener listener
	file     *os.File
	tables   [2]table
	mounts   mounts
	home     home
	creds    credTable

	idle    atomic.Int32
	workers atomic.Int32
	lists   atomic.Bool // see Options
	lost    lost
}

// A table finds a call by its number in one ABI.
type table struct {
	abi abi
	by  []*call
}

// maxWorkers bounds how many calls are worked on at a time: more than one waits only where files are slow, as those on a file
// system of the script's own may be.
const maxWorkers = 64

// New makes a supervisor, which does nothing yet. It is made before the filter is installed, and before any process of the node is.
func New(o Options) (*Supervisor, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Supervisor{o: o}
	s.lists.Store(o.Lists)
	calls := o.Mode.calls()
	for i, a := range abis() {
		s.tables[i] = newTable(a, calls)
	}
	_, err := inode.SeenAs() // it reads /proc, which a worker has not at that path, and remembers
	if err := errors.Join(err, s.mounts.init(o), s.home.prepare(), s.creds.prepare()); err != nil {
		return nil, err
	}
	return s, nil
}

// Serve starts to answer what arrives at a listener, which it takes over, even in an error. The calling thread may be the
// one that has the filter: it makes no call itself that would be answered.
func (s *Supervisor) Serve(l *os.File) error {
	s.listener, s.file = listener(l.Fd()), l
	s.listener.syncWakeUp()
	for range 2 {
		if err := s.startWorker(); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	return nil
}

// unread says that a record would not be read back, and that there is no going on.
func (s *Supervisor) unread() bool {
	if s.o.Mode.readsBack() || s.o.Unread == nil {
		return false
	}
	s.o.Unread()
	return true
}

func newTable(a abi, calls []call) table {
	t := table{abi: a}
	for i := range calls {
		if n := calls[i].nr[a.index]; n != none && calls[i].do != nil {
			for len(t.by) <= n {
				t.by = append(t.by, nil)
			}
			t.by[n] = &calls[i]
		}
	}
	return t
}

// Close ends the supervisor, when every process of the node has ended, and says what could not be recorded, in words.
// Without anything the node's layer is what it would be anywhere.
func (s *Supervisor) Close() ([]string, error) {
	if s.file == nil {
		return nil, nil
	}
	return s.lost.all(), s.file.Close()
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

// A worker answers one call at a time, on a thread with a root of its own and the working directory in /proc.
type worker struct {
	*Supervisor
	n notification
	r request
}

func (s *Supervisor) newWorker() (*worker, error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return nil, fmt.Errorf("give a thread a root of its own: %w", err)
	}
	if err := unix.Fchdir(int(s.o.Proc.Fd())); err != nil {
		return nil, fmt.Errorf("go to /proc: %w", err)
	}
	unix.Umask(0)
	s.workers.Add(1)
	return &worker{Supervisor: s}, nil
}

// patience is how long all workers may be at work before there is one more.
const patience = 20 * time.Millisecond

// work answers until the listener's processes are gone. On kernels before 6.11 it then waits in vain, and ends with init.
func (w *worker) work() {
	defer w.workers.Add(-1)
	for {
		w.idle.Add(1)
		errno := w.listener.receive(&w.n)
		last := w.idle.Add(-1) == 0
		switch {
		case errno == unix.ENOENT: // killed meanwhile; or there is nobody any more
			if w.hungUp() {
				return
			}
			continue
		case errno != 0:
			return
		}
		if last {
			more := time.AfterFunc(patience, w.another)
			w.handle()
			more.Stop()
			continue
		}
		w.handle()
	}
}

// another adds a worker where none is idle.
func (w *worker) another() {
	if w.idle.Load() > 0 || w.workers.Load() >= maxWorkers {
		return
	}
	if err := w.startWorker(); err != nil {
		w.o.Log.Debug("no further worker", "error", err)
	}
}

// hungUp says that no process is left that could call.
func (w *worker) hungUp() bool {
	p := []unix.PollFd{{Fd: int32(w.listener), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0 && p[0].Revents&(unix.POLLHUP|unix.POLLNVAL|unix.POLLERR) != 0
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

// A lost keeps what could not be recorded.
type lost struct {
	mu    sync.Mutex
	what  []string
	count map[string]int
}

// maxLost is how many kinds are told apart.
const maxLost = 16

// add notes that something is not as the script wanted it, once a kind.
func (l *lost) add(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = map[string]int{}
	}
	if l.count[kind] == 0 && len(l.what) < maxLost {
		l.what = append(l.what, kind)
	}
	l.count[kind]++
}

// all says it in words.
func (l *lost) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, kind := range l.what {
		all = append(all, fmt.Sprintf("%s (%d times)", kind, l.count[kind]))
	}
	return all
}
