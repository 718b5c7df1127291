package chroot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// When real root builds, nodes have ids that are nobody's on the host ([host.Host.Nobody]): by id alone the real root may write to
// the kernel's settings, whatever namespaces it is in. Files stay as they are on disk: init gets mounts of them that map the ids,
// which only the real root itself can make, here. They are attached where nothing else of the host is needed, and paths are
// written anew.

// nobody is what nodes with such ids need; made once, where it can be had.
type nobody struct {
	once  sync.Once
	why   error // it cannot be had
	ids   *host.Host
	users *os.File // a user namespace with the ids
}

func (n *nobody) close() {
	if n.users != nil {
		_ = n.users.Close() // of a namespace
	}
}

// prepare finds out once whether the ids can be had.
func (h *Host) prepareNobody(ctx context.Context) error {
	n := &h.nobody
	n.once.Do(func() {
		release := host.KernelRelease()
		switch {
		case !h.RealRoot() || h.Tier != host.TierMapped:
			n.why = errors.New("it is not the real root that builds")
		case !host.AtLeast(release, 5, 19):
			n.why = fmt.Errorf("overlayfs on mounts that map ids needs Linux 5.19 or later; this is %s", release)
		default:
			n.ids = h.Host.Nobody()
			n.users, n.why = userNamespace(ctx, n.ids)
		}
	})
	return n.why
}

// userNamespace makes a user namespace with the ids of h. For that it starts this program, which never gets to execute
// anything: traced, it stops before.
func userNamespace(ctx context.Context, ids *host.Host) (*os.File, error) {
	type made struct {
		file *os.File
		err  error
	}
	result := make(chan made)
	go func() {
		runtime.LockOSThread() // which is the tracer; never unlocked: the thread ends
		f, err := tracedNamespace(ctx, ids)
		result <- made{f, err}
	}()
	m := <-result
	return m.file, m.err
}

func tracedNamespace(ctx context.Context, ids *host.Host) (*os.File, error) {
	attr := host.LateAttributes(0)
	attr.Cloneflags &^= syscall.CLONE_NEWNS
	attr.Ptrace = true
	pid, err := syscall.ForkExec("/proc/self/exe", []string{initName}, &syscall.ProcAttr{Env: []string{}, Sys: attr})
	if err != nil {
		return nil, fmt.Errorf("make a user namespace: %w", err)
	}
	err = ids.WriteMaps(ctx, pid)
	var f *os.File
	if err == nil {
		f, err = os.Open("/proc/" + strconv.Itoa(pid) + "/ns/user")
	}
	_ = unix.Kill(pid, unix.SIGKILL) // it is ours, and has not been waited for
	for {
		var status unix.WaitStatus
		if _, werr := unix.Wait4(pid, &status, 0, nil); !errors.Is(werr, unix.EINTR) && !status.Stopped() {
			return f, err
		}
	}
}

// mapped is a mount of what is at a path, and of what is mounted below it, with the ids of the namespace. A file system that
// cannot map ids is an error.
func (n *nobody) mapped(path string) (*os.File, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return nil, &os.PathError{Op: "open_tree", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	// A copy of a shared mount, as systemd makes all of them, is one of its peers: what init mounts in it would be mounted for
	// the whole machine.
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Propagation: unix.MS_PRIVATE, Userns_fd: uint64(n.users.Fd())}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return nil, errors.Join(&os.PathError{Op: "map ids on", Path: path, Err: err}, f.Close())
	}
	return f, nil
}

// A moving is the arguments of a node on their way to ids that are nobody's.
type moving struct {
	args  nodeArgs
	dirs  []string
	files []*os.File // mounts, in the order of args.Trees
}

func (m *moving) close() {
	for _, f := range m.files {
		_ = f.Close() // of a mount
	}
}

// shown is an error of init with paths as the host has them.
func (m *moving) shown(err error) error {
	if err == nil || m == nil {
		return err
	}
	var pairs []string
	for i := len(m.files) - 1; i >= 0; i-- { // 10 before 1
		pairs = append(pairs, m.args.Trees.path(i), m.files[i].Name())
	}
	if text := strings.NewReplacer(pairs...).Replace(err.Error()); text != err.Error() {
		return &shownError{text, err}
	}
	return err
}

type shownError struct {
	text string
	err  error
}

func (e *shownError) Error() string { return e.text }
func (e *shownError) Unwrap() error { return e.err }

// asNobody changes the arguments of a node to ids that are nobody's, and returns the mounts that init needs, or an error that
// says why it has to do without. The caller closes what it returns.
func (h *Host) asNobody(ctx context.Context, n *Node, a *nodeArgs) (*moving, error) {
	if err := h.prepareNobody(ctx); err != nil {
		return nil, err
	}
	if e := a.Emulation.Emulator; e != "" && !readableByAll(e) {
		return nil, fmt.Errorf("the emulator %s cannot be read by everybody", e)
	}
	at, err := treesAt(a.Emulation.Emulator)
	if err != nil {
		return nil, err
	}
	m := &moving{args: *a, dirs: n.Dirs}
	m.args.Trees.At = at
	if err := m.move(&h.nobody); err != nil {
		m.close()
		return nil, err
	}
	m.args.Guard, m.args.Ids = false, h.nobody.ids.Inside()
	*a = m.args
	return m, nil
}

// move makes the mounts and writes the paths anew.
func (m *moving) move(n *nobody) error {
	some := append(slices.Clone(m.args.Lowers[:min(1, len(m.args.Lowers))]), m.args.Upper) // the others lie beside these
	for _, p := range some {
		if err := m.direct(p); err != nil {
			return err
		}
	}
	for _, dir := range m.dirs {
		f, err := n.mapped(dir)
		if err != nil {
			return err
		}
		m.add(f, true)
	}
	a := &m.args
	a.Lowers, a.Files = slices.Clone(a.Lowers), maps.Clone(a.Files)
	paths := []*string{&a.Upper, &a.Work}
	for i := range a.Lowers {
		paths = append(paths, &a.Lowers[i])
	}
	for _, p := range paths {
		if err := m.inside(p); err != nil {
			return err
		}
	}
	for name, f := range a.Files {
		if err := m.inside(&f.HostPath); err != nil {
			return err
		}
		a.Files[name] = f
	}
	return m.moveVolumes(n)
}

// moveVolumes makes mounts of the volumes' sources.
func (m *moving) moveVolumes(n *nobody) error {
	mounts := slices.Clone(m.args.Sent.Mounts)
	for i, v := range mounts {
		if v.Source == "" {
			continue
		}
		info, err := os.Stat(v.Source)
		if err != nil {
			return err // init says it better
		}
		f, err := n.mapped(v.Source)
		if err != nil {
			return err
		}
		mounts[i].Source = m.add(f, info.IsDir())
	}
	m.args.Sent.Mounts = mounts
	return nil
}

// add adds a mount and returns where init will find it.
func (m *moving) add(f *os.File, isDir bool) string {
	m.files = append(m.files, f)
	m.args.Trees.Dirs = append(m.args.Trees.Dirs, isDir)
	return m.args.Trees.path(len(m.files) - 1)
}

// direct sees that no symbolic link leads from below one of the directories to elsewhere, where ids are not mapped.
func (m *moving) direct(p string) error {
	for _, dir := range m.dirs {
		if !isBelow(p, dir) {
			continue
		}
		is, err := filepath.EvalSymlinks(p)
		root, rootErr := filepath.EvalSymlinks(dir)
		if err = errors.Join(err, rootErr); err == nil && is != root+strings.TrimPrefix(p, dir) {
			err = fmt.Errorf("%s is reached through a symbolic link", p)
		}
		return err
	}
	return nil
}

// inside writes a path, unless it is empty, as init finds it.
func (m *moving) inside(p *string) error {
	if *p == "" {
		return nil
	}
	for i, dir := range m.dirs {
		if isBelow(*p, dir) {
			*p = m.args.Trees.path(i) + strings.TrimPrefix(*p, dir)
			return nil
		}
	}
	return fmt.Errorf("%s is in no directory that can be mounted", *p)
}

// readableByAll reports whether everybody may read and execute a file.
func readableByAll(p string) bool {
	const search, read = 0o001, 0o005
	info, err := os.Stat(p)
	if err != nil || info.Mode().Perm()&read != read {
		return false
	}
	for dir := filepath.Dir(p); dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if info, err = os.Stat(dir); err != nil || info.Mode().Perm()&search == 0 {
			return false
		}
	}
	return true
}

// trees are mounts that init is given.
type trees struct {
	At   string // a directory of which nothing else is needed
	Dirs []bool // which of them are of directories
}

// path is where init attaches the i-th.
func (t trees) path(i int) string { return filepath.Join(t.At, strconv.Itoa(i)) }

// treesAt finds the directory. What is at needed must stay in reach.
func treesAt(needed string) (string, error) {
	for _, dir := range []string{"/root", "/srv", "/media", "/home", "/tmp"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && !isBelow(needed, dir) {
			return dir, nil
		}
	}
	return "", errors.New("there is no directory to mount anything on")
}

// attach attaches the mounts; open tells the i-th. It closes them.
func (t trees) attach(open func(i int) *os.File) error {
	if len(t.Dirs) == 0 {
		return nil
	}
	if err := unix.Mount("tmpfs", t.At, "tmpfs", unix.MS_NODEV, "mode=0755"); err != nil {
		return &mountError{kind: "tmpfs", at: t.At, err: err}
	}
	for i, isDir := range t.Dirs {
		f, at := open(i), t.path(i)
		kind := uint32(unix.S_IFREG | 0o644)
		if isDir {
			kind = unix.S_IFDIR | 0o755
		}
		err := makeNode(at, kind)
		if err == nil {
			if err = unix.MoveMount(int(f.Fd()), "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
				err = &mountError{kind: f.Name(), at: at, err: err}
			}
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}
