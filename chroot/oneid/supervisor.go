package oneid

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

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
	// Unsteady is called when that of which a steady mode makes nothing is about to be: a process is to be another than user 0, or a
	// directory to pass something on. As with Unread, the call is never answered.
	Unsteady func()
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
	age      age
	world    world
	creds    credTable

	crew   crew
	lists  atomic.Bool // see Options
	passed atomic.Bool // somebody wanted to know who sends messages
	lost   lost
}

// A table finds a call by its number in one ABI.
type table struct {
	abi abi
	by  []*call
}

// New makes a supervisor, which does nothing yet. It is made before the filter is installed, and before any process of the node is.
func New(o Options) (*Supervisor, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Supervisor{o: o, world: world{watched: o.Mode.single()}}
	s.lists.Store(o.Lists)
	calls := o.Mode.calls()
	for i, a := range abis() {
		s.tables[i] = newTable(a, calls)
	}
	_, err := inode.SeenAs() // it reads /proc, which a worker has not at that path, and remembers
	if err := errors.Join(err, s.mounts.init(o), s.home.prepare(), s.age.prepare(), s.creds.prepare()); err != nil {
		return nil, err
	}
	return s, nil
}

// Serve starts to answer what arrives at a listener, which it takes over, even in an error. The calling thread may be the
// one that has the filter: it makes no call itself that would be answered.
func (s *Supervisor) Serve(l *os.File) error {
	s.listener, s.file = listener(l.Fd()), l
	s.listener.syncWakeUp()
	s.world.starter = unix.Gettid()
	start := func() error {
		err := s.startWorker()
		if err != nil {
			s.o.Log.Debug("no further worker", "error", err)
		}
		return err
	}
	if err := s.crew.begin(start); err != nil {
		return errors.Join(err, l.Close())
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

// unsteady says that a steady mode turns out to be wrong, and that there is no going on.
func (s *Supervisor) unsteady() bool {
	if !s.o.Mode.steady() || s.o.Unsteady == nil {
		return false
	}
	s.o.Unsteady()
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
	s.crew.end()
	if s.passed.Load() && s.creds.used() {
		s.lost.add("who sent a message, by SO_PASSCRED: all are user 0")
	}
	return s.lost.all(), s.file.Close()
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
