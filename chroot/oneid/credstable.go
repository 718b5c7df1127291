package oneid

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Which credentials a process has, the kernel remembers: their number in a table is the process's soft RLIMIT_LOCKS, a limit that
// has had no meaning since Linux 2.4 and goes on to children and over execve like credentials do. So no table of
// processes has to be kept in step with the kernel's. A process whose soft limit is its hard one has never changed
// anything: it has rootCred. The filter leaves processes unable to set the limit themselves.
//
// Credentials are thus those of a process, not of a thread. The C libraries keep those of all threads equal by calling in
// each; the second time changes nothing.

// maxCreds is how many different credentials the processes of one node may have; a script in earnest has a dozen.
const maxCreds = 1 << 16

// maxGroupBytes is how much their supplementary groups may take together.
const maxGroupBytes = 16 << 20

// A credTable numbers credentials. Its zero value needs a root.
type credTable struct {
	root cred

	changing sync.Mutex // held by who reads credentials to write others

	some   atomic.Bool // there are others than root's
	mu     sync.Mutex
	list   []cred
	number map[cred]uint64
	bytes  int // of supplementary groups
}

// prepare gives the first process the capabilities that a new user namespace has, which are all that the kernel knows: those of
// this one, too.
func (t *credTable) prepare() error {
	h, d := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capget(&h, &d[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	t.root = rootCred(capSet(d[0].Permitted) | capSet(d[1].Permitted)<<32)
	return nil
}

// errCredsFull answers a process that would have more different credentials than the table holds.
var errCredsFull = fmt.Errorf("processes with more than %d different credentials: %w", maxCreds, unix.EAGAIN)

// numberOf returns the number of c, given now if it has none.
func (t *credTable) numberOf(c cred) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok := t.number[c]
	if ok {
		return n, nil
	}
	if len(t.list) >= maxCreds || t.bytes+len(c.groups) > maxGroupBytes {
		return 0, errCredsFull
	}
	t.some.Store(true)
	t.bytes += len(c.groups)
	if t.number == nil {
		t.number = map[cred]uint64{}
	}
	n = uint64(len(t.list))
	t.list = append(t.list, c)
	t.number[c] = n
	return n, nil
}

// used reports whether any process ever had other credentials than root's.
func (t *credTable) used() bool { return t.some.Load() }

// of returns the credentials of a process; changed says that they are in the table.
func (t *credTable) of(pid int) (c cred, changed bool, err error) {
	if !t.used() {
		return t.root, false, nil // which most scripts leave it at
	}
	limit, err := locksLimit(pid, nil)
	if err != nil {
		return cred{}, false, err
	}
	if limit.Cur == limit.Max {
		return t.root, false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if limit.Cur >= uint64(len(t.list)) {
		return t.root, false, nil // set before the filter was
	}
	return t.list[limit.Cur], true, nil
}

// set gives a process credentials.
func (t *credTable) set(pid int, c cred) error {
	limit, err := locksLimit(pid, nil)
	if err != nil {
		return err
	}
	if c == t.root {
		limit.Cur = limit.Max
	} else if limit.Cur, err = t.numberOf(c); err != nil {
		return err
	}
	if limit.Cur > limit.Max || c != t.root && limit.Cur == limit.Max {
		return fmt.Errorf("a hard RLIMIT_LOCKS of %d leaves no room for credentials: %w", limit.Max, unix.EAGAIN)
	}
	_, err = locksLimit(pid, &limit)
	return err
}

// Begin has the process that this one starts next begin as another user than 0, as if it had become that before it was executed. It
// is called before the filter is installed. Until [Supervisor.Begun] all that is started does.
func (s *Supervisor) Begin(uid, gid uint32, groupIDs []uint32) error {
	c, errno := s.creds.root.setGroups(groupIDs)
	if errno == 0 {
		c, errno = c.setID(groups, gid)
	}
	if errno == 0 {
		c, errno = c.setID(users, uid)
	}
	if errno != 0 {
		return errno
	}
	return s.creds.set(os.Getpid(), c)
}

// Begun ends what [Supervisor.Begin] began. It is not called on a thread with the filter.
func (s *Supervisor) Begun() error { return s.creds.set(os.Getpid(), s.creds.root) }

// locksLimit reads and, where next is not nil, sets a process's RLIMIT_LOCKS.
func locksLimit(pid int, next *unix.Rlimit) (unix.Rlimit, error) {
	var was unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_LOCKS, next, &was); err != nil {
		return was, fmt.Errorf("credentials of process %d: %w", pid, err)
	}
	return was, nil
}
