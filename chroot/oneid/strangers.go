package oneid

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// The kernel knows a process that has changed its user as user 0 still, to whom nothing is forbidden. Those of its calls that come by
// anyway are refused where the user whom it believes to be would be refused; the others are not seen, see docs/one-id.md.

// stranger returns the credentials of a process that is another than user 0. It costs nothing as long as there has never been one.
func (r *request) stranger() (cred, bool) {
	if !r.w.o.Mode.single() || !r.w.creds.used() {
		return cred{}, false
	}
	c, changed, err := r.creds()
	return c, err == nil && changed && !c.makesRoots()
}

// unreachable returns EACCES where a stranger may not search a directory on the way to a file.
func (r *request) unreachable(dirfd, pathArg int) error {
	c, is := r.stranger()
	if !is || r.args[pathArg] == 0 {
		return nil
	}
	path, err := r.pathArg(pathArg)
	if err != nil || path == "" {
		return nil // the kernel's own word for it
	}
	dir, _, err := r.openParent(dirfd, trimSlashes(path))
	if err != nil {
		return nil
	}
	defer closeFD(dir)
	if err := r.reach(c, dirfd, path, dir); errors.Is(err, unix.EACCES) {
		return err
	}
	return nil
}

// mayMode returns EPERM where a stranger may not change the mode of a file, and else the mode that it gets: without the setgid bit
// for a group that the stranger is not in.
func (f *file) mayMode(mode uint32) (uint32, error) {
	c, is := f.r.stranger()
	if !is {
		return mode, nil
	}
	as, err := f.r.look(f.fd)
	if err != nil || !as.own {
		return mode, err
	}
	if c.uid.fs != as.uid && !c.caps.effective.has(unix.CAP_FOWNER) {
		return mode, unix.EPERM
	}
	if !c.inGroup(as.gid) && !c.caps.effective.has(unix.CAP_FSETID) {
		mode &^= unix.S_ISGID
	}
	return mode, nil
}

// reached is named, or EACCES where a stranger could not come to the file.
func (r *request) reached(dirfd, pathArg, flags int) (*file, error) {
	if err := r.unreachable(dirfd, pathArg); err != nil {
		return nil, err
	}
	return r.named(dirfd, pathArg, flags)
}

// mayUse returns EACCES where a stranger may not read or write an attribute of the file's users (xattr(7)).
func (f *file) mayUse(name string, writes bool) error {
	c, is := f.r.stranger()
	if !is || !strings.HasPrefix(name, "user.") {
		return nil
	}
	want := uint32(mayRead)
	if writes {
		want = mayWrite
	}
	if as, err := f.r.look(f.fd); err == nil && as.own && !c.may(as, want) {
		return unix.EACCES
	}
	return nil
}

// hides says that an attribute is there for those alone who may administer the system.
func (f *file) hides(name string) bool {
	if !strings.HasPrefix(name, "trusted.") {
		return false
	}
	may, err := f.r.holds(unix.CAP_SYS_ADMIN)
	return err != nil || !may
}

// An entry is a name in a directory that a stranger wants to change.
type entry struct {
	*making
	file seen // of that name; its descriptor is to be closed
	is   bool
}

func (e *entry) done() {
	if e.is {
		closeFD(e.file.fd)
	}
	e.making.done()
}

// entry looks at a name. errProceed: the kernel is to answer.
func (r *request) entry(c cred, dirfd, pathArg int) (*entry, error) {
	path, err := r.pathArg(pathArg)
	if err != nil {
		return nil, errProceed
	}
	m, err := r.making(c, dirfd, trimSlashes(path), 0)
	if err != nil {
		return nil, err
	}
	e := &entry{making: m}
	if fd, err := openPath(m.dir.fd, m.name, unix.O_NOFOLLOW); err == nil {
		if e.file, err = r.look(fd); err != nil {
			closeFD(fd)
			m.done()
			return nil, errProceed
		}
		e.is = true
	}
	return e, nil
}

// mayChange returns an error where the stranger may not make, remove or replace what is of the name, as the kernel's may_create and
// may_delete.
func (e *entry) mayChange() error {
	if !e.c.may(e.dir, mayWrite|mayExecute) {
		return unix.EACCES
	}
	sticky := e.is && e.dir.mode&unix.S_ISVTX != 0
	if sticky && e.c.uid.fs != e.file.uid && e.c.uid.fs != e.dir.uid && !e.c.caps.effective.has(unix.CAP_FOWNER) {
		return unix.EPERM
	}
	return nil
}

// mayMove returns an error where a stranger may not give a file another name: one more, if it is linked.
func (r *request) mayMove(from, fromPath, to, toPath int, linked bool) error {
	c, is := r.stranger()
	if !is {
		return nil
	}
	source, err := r.entry(c, from, fromPath)
	if err != nil {
		return onlyDenied(err)
	}
	defer source.done()
	target, err := r.entry(c, to, toPath)
	if err != nil {
		return onlyDenied(err)
	}
	defer target.done()
	switch {
	case !source.is || linked && target.is:
		return nil // ENOENT, EEXIST
	case linked:
		return target.mayChange()
	}
	for _, e := range []*entry{source, target} {
		if err := e.mayChange(); err != nil {
			return err
		}
	}
	elsewhere := source.dir.st.Ino != target.dir.st.Ino || source.dir.st.Dev != target.dir.st.Dev
	if elsewhere && source.file.mode&unix.S_IFMT == unix.S_IFDIR && !c.may(source.file, mayWrite) { // its ".." changes
		return unix.EACCES
	}
	return nil
}

// onlyDenied leaves all to the kernel but what a stranger is refused.
func onlyDenied(err error) error {
	if errors.Is(err, unix.EACCES) {
		return err
	}
	return nil
}

// setMode gives a file a mode in a stranger's name.
func (f *file) setMode(mode uint32) answer {
	if err := retry(func() error { return unix.Chmod(f.name(), mode&0o7777) }); err != nil {
		return fail(err)
	}
	return succeed(0)
}
