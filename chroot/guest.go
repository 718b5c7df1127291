package chroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// A guest is the root of a node while it is being furnished. The process has changed its root into it, so that no
// symbolic link of an image, absolute or with "..", leads anywhere else; sources of bind mounts on the host are
// reached as open files only, through the working directory, which stays in the host's /proc/self/fd.
type guest struct {
	fds     *os.File // this process's /proc/self/fd
	home    *os.File // the host's root
	root    *os.File // the node's root
	run     *os.Root // its /run, once that is mounted
	done    []step   // what was mounted and made, in order
	scratch map[uint64]bool
	fresh   []freshDir
}

// newGuest enters dir, a mount point.
func newGuest(fds *os.File, dir string) (*guest, error) {
	home, err := openPath("/", unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	root, err := openPath(dir, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	g := &guest{fds: fds, home: home, root: root, scratch: map[uint64]bool{}}
	return g, g.enter()
}

// enter changes the root of the process to the guest's, and the working directory to fds.
func (g *guest) enter() error { return errors.Join(changeRoot(g.root), unix.Fchdir(int(g.fds.Fd()))) }

// leave returns to the host's root.
func (g *guest) leave() error { return changeRoot(g.home) }

// changeRoot makes dir the root and the working directory of the process.
func changeRoot(dir *os.File) error {
	if err := unix.Fchdir(int(dir.Fd())); err != nil {
		return &os.PathError{Op: "go to", Path: dir.Name(), Err: err}
	}
	if err := unix.Chroot("."); err != nil {
		return &os.PathError{Op: "change root to", Path: dir.Name(), Err: err}
	}
	return nil
}

// settleIn makes the guest the root of the mount namespace and lets go of everything of the host's.
func (g *guest) settleIn() error {
	steps := []struct {
		what string
		do   func() error
	}{
		{"return to the host's root", g.leave},
		{"go to the new root", func() error { return unix.Fchdir(int(g.root.Fd())) }},
		{"pivot_root", func() error { return unix.PivotRoot(".", ".") }},
		{"detach the host's root", func() error { return unix.Unmount(".", unix.MNT_DETACH) }},
		{"go to the new root", func() error { return unix.Chdir("/") }},
		{"make the mounts private", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return explainPivot(fmt.Errorf("%s: %w", s.what, err))
		}
	}
	return errors.Join(g.fds.Close(), g.home.Close(), g.root.Close(), g.run.Close())
}

// explainPivot words why the kernel refuses to change the root.
func explainPivot(err error) error {
	if !errors.Is(err, unix.EINVAL) {
		return host.ExplainStart(err, 0)
	}
	return &host.Error{Err: err, Hint: "the root of this machine is the initial file system in memory (an initramfs), which cannot be changed for another: " +
		"mount a file system, and go on there with switch_root"}
}

// maxLinks is how many symbolic links a path may lead through, as in the kernel.
const maxLinks = 40

// resolve returns p, an absolute path, without symbolic links; what does not exist yet is taken as it is.
func resolve(p string) (string, error) {
	todo, links := strings.Split(p, "/"), 0
	at := "/"
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, name)
		target, err := os.Readlink(next)
		switch {
		case err == nil:
			if links++; links > maxLinks {
				return "", &os.PathError{Op: "resolve", Path: p, Err: unix.ELOOP}
			}
			if path.IsAbs(target) {
				at = "/"
			}
			todo = append(strings.Split(target, "/"), todo...)
		case errors.Is(err, unix.EINVAL), errors.Is(err, fs.ErrNotExist):
			at = next
		default:
			return "", err
		}
	}
	return at, nil
}

// place finds the mount point for p, an absolute path in the guest, and makes it when it is missing, with the
// directories above it. What it makes is remembered; the times of the directories it is made in are kept.
func (g *guest) place(p string, dir bool) (string, error) {
	at, err := resolve(p)
	if err != nil {
		return "", err
	}
	if at == "/" {
		return "", fmt.Errorf("%s in the image leads to its root", p)
	}
	parts := strings.Split(at[1:], "/")
	for i := range parts {
		one, last := "/"+strings.Join(parts[:i+1], "/"), i == len(parts)-1
		info, err := os.Lstat(one)
		if errors.Is(err, fs.ErrNotExist) {
			if err := g.create(one, dir || !last); err != nil {
				return "", err
			}
			continue
		}
		if err != nil {
			return "", err
		}
		if info.IsDir() != (dir || !last) {
			return "", fmt.Errorf("%s in the image is %s", one, kindOf(info.Mode(), dir || !last))
		}
	}
	return at, nil
}

func kindOf(m fs.FileMode, wantDir bool) string {
	if m.IsDir() {
		return "a directory, where a file must be mounted"
	}
	if wantDir {
		return "not a directory"
	}
	return "not a file"
}

// create makes one mount point and keeps the times of its parent, unless that is in a file system which was mounted here.
func (g *guest) create(p string, dir bool) error {
	var parent unix.Stat_t
	if err := unix.Stat(path.Dir(p), &parent); err != nil {
		return &os.PathError{Op: "stat", Path: path.Dir(p), Err: err}
	}
	kind := uint32(unix.S_IFREG | 0o644)
	if dir {
		kind = unix.S_IFDIR | 0o755
	}
	var err error
	if g.scratch[parent.Dev] {
		err = makeNode(p, kind)
	} else if err = keepTimes(p, func() error { return makeNode(p, kind) }); err == nil {
		err = g.remember(p)
	}
	if err != nil {
		return fmt.Errorf("make a mount point: %w", err)
	}
	return nil
}

// makeNode makes a directory, or an empty file without opening it: on an overlay that is half of the work.
func makeNode(p string, mode uint32) error {
	do := func() error { return unix.Mknod(p, mode, 0) }
	if mode&unix.S_IFMT == unix.S_IFDIR {
		do = func() error { return unix.Mkdir(p, mode&0o7777) }
	}
	for {
		err := do()
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return &os.PathError{Op: "make", Path: p, Err: err}
		}
	}
}

// keepTimes does something to an entry of a directory and gives the directory its times back.
func keepTimes(entry string, do func() error) error {
	parent := path.Dir(entry)
	var st unix.Stat_t
	if err := unix.Stat(parent, &st); err != nil {
		return &os.PathError{Op: "stat", Path: parent, Err: err}
	}
	if err := do(); err != nil {
		return err
	}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, parent, []unix.Timespec{st.Atim, st.Mtim}, 0); err != nil {
		return &os.PathError{Op: "set times", Path: parent, Err: err}
	}
	return nil
}

// mount mounts a new file system and returns where.
func (g *guest) mount(kind, p string, flags uintptr, data string) (string, error) {
	at, err := g.place(p, true)
	if err != nil {
		return "", fmt.Errorf("mount %s on %s: %w", kind, p, err)
	}
	if err := unix.Mount(kind, at, kind, flags, data); err != nil {
		return "", &mountError{kind: kind, at: p, err: err}
	}
	g.done = append(g.done, step{path: at, mount: true})
	if kind == "tmpfs" {
		var st unix.Stat_t
		if err := unix.Stat(at, &st); err != nil {
			return "", &os.PathError{Op: "stat", Path: at, Err: err}
		}
		g.scratch[st.Dev] = true
	}
	return at, nil
}

// bind mounts an open file or directory of the host and returns where.
func (g *guest) bind(source *os.File, p string, recursive bool) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(source.Fd()), &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: source.Name(), Err: err}
	}
	at, err := g.place(p, st.Mode&unix.S_IFMT == unix.S_IFDIR)
	if err != nil {
		return "", fmt.Errorf("mount %s on %s: %w", source.Name(), p, err)
	}
	flags := uintptr(unix.MS_BIND)
	if recursive {
		flags |= unix.MS_REC
	}
	// The working directory is /proc/self/fd, so the number is a path to the file.
	if err := unix.Mount(strconv.Itoa(int(source.Fd())), at, "", flags, ""); err != nil {
		return "", &mountError{kind: source.Name(), at: p, err: err}
	}
	g.done = append(g.done, step{path: at, mount: true})
	return at, nil
}

// mountError names what was to be mounted where.
type mountError struct {
	kind, at string
	err      error
}

func (e *mountError) Error() string { return "mount " + e.kind + " on " + e.at + ": " + e.err.Error() }
func (e *mountError) Unwrap() error { return e.err }
