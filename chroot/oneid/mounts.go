package oneid

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// mounts tells the node's own files from the host's: on a volume, a device or resolv.conf nothing is recorded. It goes by the
// mount through which a file is named, since a volume may be on the same file system as the node's root.
type mounts struct {
	root    mount
	foreign []uint64 // the host's file systems
	mu      sync.Mutex
	known   map[uint64]bool // by the number of the mount, see remember
}

// A mount is a line of mountinfo (proc(5)).
type mount struct {
	id   uint64
	dev  uint64
	dir  string // of its file system
	at   string
	kind string
}

// maxKnown bounds the table: a script may mount without end.
const maxKnown = 4096

// init looks at what is mounted before the node's process starts.
func (m *mounts) init(o Options) error {
	data, err := readAll("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("read the mounts of a node: %w", err)
	}
	all := parseMounts(data)
	for _, one := range all {
		if one.at == "/" {
			m.root = one // the last one lies on top
		}
	}
	for _, one := range all {
		if one.dev != m.root.dev && !slices.Contains(o.Own, one.dev) {
			m.foreign = append(m.foreign, one.dev)
		}
	}
	m.known = map[uint64]bool{}
	return nil
}

// A mountID is the number of the mount through which a file was opened. Since Linux 6.8 there is one that no other mount will ever have;
// 0: the kernel says no such one.
type mountID uint64

// mountFrom is what statx says of the mount where STATX_MNT_ID_UNIQUE was asked for.
func mountFrom(x *unix.Statx_t) mountID {
	if x.Mask&unix.STATX_MNT_ID_UNIQUE == 0 {
		return 0
	}
	return mountID(x.Mnt_id)
}

// look finds what is known of a mount.
func (m *mounts) look(id uint64) (own, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	own, ok = m.known[id]
	return own, ok
}

// own says that a file is the node's own, in its root or on what the script has mounted itself.
func (r *request) own(fd int, via mountID) (bool, error) {
	m := &r.w.mounts
	if via != 0 {
		if own, ok := m.look(uint64(via)); ok {
			return own, nil
		}
	}
	short, err := mountOf(fd)
	if err != nil || short == 0 {
		return false, err
	}
	id, unique := uint64(via), via != 0
	if !unique {
		id = short
		if own, ok := m.look(id); ok {
			return own, nil
		}
	}
	one, err := m.find(r, short) // mountinfo has the short one
	if err != nil {
		return false, err
	}
	own := m.isOwn(one)
	if unique || r.w.o.Mode.single() && one.at == "/" {
		m.remember(id, unique, own)
	}
	return own, nil
}

// remember keeps what was found out. A number that is not unique is given to another mount as soon as this one is taken off,
// and a script that mounts a volume again would have it taken for its own: then only the first is kept, the root of the node's first
// process, whose execve asks for it before there is any script, and which lasts.
func (m *mounts) remember(id uint64, unique, own bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !unique && len(m.known) > 0 {
		return
	}
	if len(m.known) >= maxKnown {
		clear(m.known)
	}
	m.known[id] = own
}

// mountOf is the number of the mount through which a file was opened, which another one may get later; 0: the kernel does not say.
func mountOf(fd int) (uint64, error) {
	var st unix.Statx_t
	if err := retry(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st) }); err != nil {
		return 0, err
	}
	if st.Mask&unix.STATX_MNT_ID == 0 {
		return 0, nil
	}
	return st.Mnt_id, nil
}

// find looks a mount up in the mount namespace of the process. One that was taken off, or is of another namespace, has no kind:
// it is nobody's any more.
func (m *mounts) find(r *request, id uint64) (mount, error) {
	data, err := r.mountinfo()
	if err != nil {
		return mount{}, err
	}
	for _, one := range parseMounts(data) {
		if one.id == id {
			return one, nil
		}
	}
	return mount{}, nil
}

// mountinfo is what is mounted where the process is. Its own file of that name lacks what is outside of its root, so a
// thread looks that goes there and has none; it ends then.
func (r *request) mountinfo() (string, error) {
	type result struct {
		data string
		err  error
	}
	done := make(chan result)
	proc, tid := int(r.w.o.Proc.Fd()), r.tid
	go func() {
		runtime.LockOSThread() // and never unlocked
		data, err := mountsOf(proc, tid)
		done <- result{data, err}
	}()
	got := <-done
	return got.data, got.err
}

// mountsOf moves this thread into the mount namespace of another and reads what is mounted there.
func mountsOf(proc, tid int) (string, error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return "", err
	}
	ns, err := openAt(proc, itoa(tid)+"/ns/mnt")
	if err != nil {
		return "", err
	}
	defer closeFD(ns)
	if err := unix.Setns(ns, unix.CLONE_NEWNS); err != nil {
		return "", err
	}
	fd, err := openAt(proc, "thread-self/mountinfo")
	if err != nil {
		return "", err
	}
	return readFD(fd)
}

func (m *mounts) isOwn(one mount) bool {
	if one.kind == "" {
		return false
	}
	if one.dev == m.root.dev {
		return m.root.dir == "/" || one.dir == m.root.dir || strings.HasPrefix(one.dir, m.root.dir+"/")
	}
	return !slices.Contains(m.foreign, one.dev) && !slices.Contains([]string{"proc", "sysfs", "mqueue", "devpts", "cgroup2", "cgroup", "binfmt_misc"}, one.kind)
}

// parseMounts reads mountinfo. A line that it does not understand is left out.
func parseMounts(data string) []mount {
	var all []mount
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(data) {
		left, right, _ := strings.Cut(line, " - ")
		f, kind := strings.Fields(left), strings.Fields(right)
		if len(f) < 5 || len(kind) < 1 {
			continue
		}
		id, err1 := strconv.ParseUint(f[0], 10, 64)
		a, b, _ := strings.Cut(f[2], ":")
		major, err2 := strconv.ParseUint(a, 10, 32)
		minor, err3 := strconv.ParseUint(b, 10, 32)
		if errors.Join(err1, err2, err3) != nil {
			continue
		}
		all = append(all, mount{
			id: id, dev: unix.Mkdev(uint32(major), uint32(minor)), dir: unescape.Replace(f[3]), at: unescape.Replace(f[4]), kind: kind[0],
		})
	}
	return all
}
