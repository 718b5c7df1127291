package oneid

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// A group that a directory passes on is not recorded with each file that is made there: it follows from where the file is. So before
// that changes, by another group or setgid bit of the directory, or by another place of the file, the group that a file has is recorded.

// settleCalls are those before which that is done. The kernel then executes them.
func (m Mode) settleCalls() []call {
	const cwd, nofollow = unix.AT_FDCWD, unix.AT_SYMLINK_NOFOLLOW
	return []call{
		{name: "chmod", nr: numbers{90, 15, none, 15}, do: func(r *request) answer { return r.beforeChmodAt(cwd, 0, r.u32(1), 0) }},
		{name: "fchmod", nr: numbers{91, 94, 52, 94}, do: func(r *request) answer { return r.beforeChmod(r.u32(1))(r.same(r.fd(0))) }},
		{name: "fchmodat", nr: numbers{268, 306, 53, 333}, do: func(r *request) answer { return r.beforeChmodAt(r.fd(0), 1, r.u32(2), 0) }},
		{name: "fchmodat2", nr: everywhere(452), do: func(r *request) answer { return r.beforeChmodAt(r.fd(0), 1, r.u32(2), int(r.u32(3))) }},
		{name: "rename", nr: numbers{82, 38, none, 38}, do: func(r *request) answer { return r.rename(cwd, 0, cwd, 1) }},
		{name: "renameat", nr: numbers{264, 302, 38, 329}, do: func(r *request) answer { return r.rename(r.fd(0), 1, r.fd(2), 3) }},
		{name: "renameat2", nr: numbers{316, 353, 276, 382}, do: func(r *request) answer {
			if r.u32(4)&unix.RENAME_EXCHANGE != 0 {
				_ = r.beforeMove(r.fd(2), 3, r.fd(0), 1, nofollow)
			}
			return r.rename(r.fd(0), 1, r.fd(2), 3)
		}},
		{name: "link", nr: numbers{86, 9, none, 9}, do: func(r *request) answer { return r.link(cwd, 0, cwd, 1, nofollow) }},
		{name: "linkat", nr: numbers{265, 303, 37, 330}, do: func(r *request) answer {
			flags := int(r.u32(4))
			if flags&unix.AT_SYMLINK_FOLLOW == 0 {
				flags |= nofollow
			}
			return r.link(r.fd(0), 1, r.fd(2), 3, flags&(nofollow|unix.AT_EMPTY_PATH))
		}},
	}
}

// setgidCalls are those by which a directory comes to pass on its group, in a steady mode.
func (m Mode) setgidCalls() []call {
	var all []call
	for _, c := range m.settleCalls() {
		if arg, ok := map[string]int{"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2}[c.name]; ok {
			c.when = [][]test{{is(arg, unix.S_ISGID, unix.S_ISGID)}}
			all = append(all, c)
		}
	}
	return all
}

// beforeChmod is before a chmod. Where it sets the bit, what is in the directory has not been passed on its group; where it takes the
// bit away, what is there has.
func (r *request) beforeChmod(mode uint32) func(f *file, err error) answer {
	return func(f *file, err error) answer {
		if err != nil {
			return proceed()
		}
		defer f.close()
		allowed, err := f.mayMode(mode)
		if err != nil {
			return fail(err)
		}
		if allowed != mode {
			return f.setMode(allowed)
		}
		if f.st.Mode&unix.S_IFMT != unix.S_IFDIR || (f.st.Mode^mode)&unix.S_ISGID == 0 {
			return proceed()
		}
		if f.r.w.o.Mode.steady() {
			return f.steadyChmod()
		}
		none := inode.Inheritance{}
		if in := f.passing(); mode&unix.S_ISGID != 0 || in != none {
			r.settled(f.settleAll(in)) // in is none where the bit is not there
		}
		return proceed()
	}
}

// steadyChmod is before a directory gets the bit, which it cannot have lost unseen: nothing there passes on a group that only a record tells.
func (f *file) steadyChmod() answer {
	o, err := inode.OwnerOf(f.handle(), &f.st)
	if err != nil || o.GID == f.st.Gid {
		return proceed()
	}
	if mine, err := f.mine(); err == nil && mine && f.r.w.unsteady() {
		return answer{sent: true}
	}
	return proceed()
}

// beforeChmodAt is that before one by a path.
func (r *request) beforeChmodAt(dirfd, pathArg int, mode uint32, flags int) answer {
	if err := r.unreachable(dirfd, pathArg); err != nil {
		return fail(err)
	}
	return r.beforeChmod(mode)(r.named(dirfd, pathArg, flags))
}

// rename is renameat(2).
func (r *request) rename(from, fromPath, to, toPath int) answer {
	if err := r.mayMove(from, fromPath, to, toPath, false); err != nil {
		return fail(err)
	}
	return r.beforeMove(from, fromPath, to, toPath, unix.AT_SYMLINK_NOFOLLOW)
}

// link is linkat(2). One without a path for what is to be linked names an open file.
func (r *request) link(from, fromPath, to, toPath, flags int) answer {
	if flags&unix.AT_EMPTY_PATH == 0 {
		if err := r.mayMove(from, fromPath, to, toPath, true); err != nil {
			return fail(err)
		}
	}
	return r.beforeMove(from, fromPath, to, toPath, flags)
}

// settled notes what could not be done: the call goes on all the same.
func (r *request) settled(err error) {
	if err != nil && !errors.Is(err, errProceed) {
		r.w.lost.add("the group of files in a directory with the setgid bit")
		r.w.o.Log.Debug("groups are not settled", "error", err)
	}
}

// settleAll records the groups of all that is in the directory f, which passes on what in says.
func (f *file) settleAll(in inode.Inheritance) error {
	if mine, err := f.mine(); err != nil || !mine {
		return err
	}
	fd, err := openAt(unix.AT_FDCWD, f.name())
	if err != nil {
		return err
	}
	dir := os.NewFile(uintptr(fd), "directory")
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			if err := f.settleIn(name, in); err != nil && !errors.Is(err, unix.ENOENT) {
				return errors.Join(err, dir.Close())
			}
		}
		if errors.Is(err, io.EOF) {
			return dir.Close()
		}
		if err != nil {
			return errors.Join(err, dir.Close())
		}
	}
}

func (f *file) settleIn(name string, in inode.Inheritance) error {
	fd, err := openPath(f.fd, name, unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	one, err := f.r.opened(fd)
	if err != nil {
		return err
	}
	defer one.close()
	if mine, err := one.mine(); err != nil || !mine { // something may be mounted on it
		return err
	}
	return retry(func() error { return inode.KeepGroup(one.handle(), &one.st, in) })
}

// beforeMove is before a file gets another name, which may be in a directory that passes on another group.
func (r *request) beforeMove(from, fromPath, to, toPath, flags int) answer {
	path, err := r.pathArg(toPath)
	if err != nil {
		return proceed()
	}
	f, err := r.named(from, fromPath, flags)
	if err != nil {
		return proceed()
	}
	defer f.close()
	if o, err := inode.OwnerOf(f.handle(), &f.st); err != nil || !o.Open() || f.st.Nlink == 0 { // or it gets its first name
		return proceed()
	}
	at, _, err := r.openParent(to, trimSlashes(path))
	if err != nil {
		return proceed()
	}
	dir, err := r.opened(at)
	if err != nil {
		return proceed()
	}
	defer dir.close()
	was := f.passedOn()
	if was == dir.passing() {
		return proceed()
	}
	if mine, err := f.mine(); err == nil && mine {
		r.settled(retry(func() error { return inode.KeepGroup(f.handle(), &f.st, was) }))
	}
	return proceed()
}
