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
	known   map[uint64]bool // by the number of the mount
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

// own says that a file is the node's own, in its root or on what the script has mounted itself.
func (r *request) own(fd int) (bool, error) {
	var st unix.Statx_t
	if err := retry(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st) }); err != nil {
		return false, err
	}
	if st.Mask&unix.STATX_MNT_ID == 0 {
		return false, nil
	}
	m := &r.w.mounts
	m.mu.Lock()
	own, ok := m.known[st.Mnt_id]
	m.mu.Unlock()
	if ok {
		return own, nil
	}
	own, err := m.judge(r, st.Mnt_id)
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= maxKnown {
		clear(m.known)
	}
	m.known[st.Mnt_id] = own
	return own, nil
}

// judge looks a mount up in the mount namespace of the process.
func (m *mounts) judge(r *request, id uint64) (bool, error) {
	data, err := r.mountinfo()
	if err != nil {
		return false, err
	}
	for _, one := range parseMounts(data) {
		if one.id == id {
			return m.isOwn(one), nil
		}
	}
	return false, nil // taken off, or of another namespace: nobody's any more
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
