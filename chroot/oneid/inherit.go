package oneid

import (
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// maxDepth bounds how far up a group may have been passed on from.
const maxDepth = 64

// passedOn is what the directory of a file passes on: the kernel cannot, where a group is only recorded. The name by which the
// file was opened is the kernel's word for where it is now.
func (f *file) passedOn() inode.Inheritance {
	name, err := f.where()
	if err != nil {
		return inode.Inheritance{}
	}
	for range maxDepth {
		if name == "/" {
			break
		}
		name = path.Dir(name)
		in, more := f.r.passes(name)
		if !more {
			return in
		}
	}
	return inode.Inheritance{}
}

// madeHere says that a file may have been made, or given another owner, since the node began. Of all others all is recorded.
func (f *file) madeHere() bool { return !f.r.w.age.before(&f.st) }

// An age tells what was in the layers below from what the node has made.
type age struct {
	begin unix.Timespec // when the upper layer's root was last changed, by the clock of its file system
	at    time.Time     // of that
}

// prepare takes the root's time, which is the upper layer's: it was made for this node.
func (a *age) prepare() error {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Stat("/", &st) }); err != nil {
		return err
	}
	a.begin, a.at = st.Ctim, time.Now()
	return nil
}

// before says that a file was changed last before the node began. Where the clock was set back since, nobody knows.
func (a *age) before(st *unix.Stat_t) bool {
	if st.Ctim.Nano() >= a.begin.Nano() {
		return false
	}
	now := time.Now()
	return now.Round(0).Sub(a.at.Round(0)) > now.Sub(a.at)-time.Millisecond // the wall clock's time, and the time passed
}

// passing is what the directory f passes on itself.
func (f *file) passing() inode.Inheritance {
	in, above, err := inode.PassedOn(f.handle(), &f.st)
	if err != nil {
		return inode.Inheritance{}
	}
	if above {
		return f.passedOn()
	}
	return in
}

// passes says what a directory passes on; more, that it is what its own directory does.
func (r *request) passes(dir string) (in inode.Inheritance, more bool) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Lstat(dir, &st) }); err != nil || st.Mode&unix.S_ISGID == 0 || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return inode.Inheritance{}, false
	}
	fd := -1
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_DIRECTORY, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if err := retry(func() (err error) {
		fd, err = unix.Openat2(unix.AT_FDCWD, dir, &how)
		return err
	}); err != nil {
		return inode.Inheritance{}, false
	}
	d, err := r.opened(fd)
	if err != nil {
		return inode.Inheritance{}, false
	}
	defer d.close()
	in, more, err = inode.PassedOn(d.handle(), &d.st)
	if err != nil {
		return inode.Inheritance{}, false
	}
	return in, more
}

// where is the path of the file, as seen from the root of this thread.
func (f *file) where() (string, error) {
	if err := f.r.enter(); err != nil {
		return "", err
	}
	var buf [unix.PathMax]byte
	n, err := unix.Readlink(f.name(), buf[:])
	if err != nil {
		return "", err
	}
	name := string(buf[:n])
	if !strings.HasPrefix(name, "/") || strings.HasSuffix(name, " (deleted)") {
		return "", unix.ENOENT
	}
	return name, nil
}
