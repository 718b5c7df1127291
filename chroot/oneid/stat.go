package oneid

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// statCalls read back what is recorded. Without a record the kernel answers, which costs the most of it: a mode with a range of
// ids does without until there are records of owners or devices.
func (m Mode) statCalls() []call {
	if !m.readsBack() {
		return nil
	}
	byPath := func(flags int, encode encoder) func(r *request) answer {
		return func(r *request) answer { return r.stat(unix.AT_FDCWD, 0, flags, 1, encode) }
	}
	byFD := func(encode encoder) func(r *request) answer {
		return func(r *request) answer { return r.fstat(1, encode) }
	}
	at := func(encode encoder) func(r *request) answer {
		return func(r *request) answer { return r.stat(r.fd(0), 1, int(r.u32(3)), 2, encode) }
	}
	const nofollow = unix.AT_SYMLINK_NOFOLLOW
	return []call{
		{name: "stat", nr: numbers{4, none, none, none}, do: byPath(0, encodeStat)},
		{name: "lstat", nr: numbers{6, none, none, none}, do: byPath(nofollow, encodeStat)},
		{name: "fstat", nr: numbers{5, none, 80, none}, do: byFD(encodeStat)},
		{name: "newfstatat", nr: numbers{262, none, 79, none}, do: at(encodeStat)},
		{name: "stat (32 bits)", nr: numbers{none, 106, none, 106}, do: byPath(0, encodeStat32)},
		{name: "lstat (32 bits)", nr: numbers{none, 107, none, 107}, do: byPath(nofollow, encodeStat32)},
		{name: "fstat (32 bits)", nr: numbers{none, 108, none, 108}, do: byFD(encodeStat32)},
		{name: "stat64", nr: numbers{none, 195, none, 195}, do: byPath(0, encodeStat64)},
		{name: "lstat64", nr: numbers{none, 196, none, 196}, do: byPath(nofollow, encodeStat64)},
		{name: "fstat64", nr: numbers{none, 197, none, 197}, do: byFD(encodeStat64)},
		{name: "fstatat64", nr: numbers{none, 300, none, 327}, do: at(encodeStat64)},
		{name: "statx", nr: numbers{332, 383, 291, 397}, do: (*request).statx},
	}
}

// statFlags are those of fstatat that a worker understands.
const statFlags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_EMPTY_PATH | unix.AT_NO_AUTOMOUNT

// stat is newfstatat(2) and its like, with the result at an argument.
func (r *request) stat(dirfd, pathArg, flags, result int, encode encoder) answer {
	if flags&^statFlags != 0 {
		return proceed()
	}
	if err := r.unreachable(dirfd, pathArg); err != nil {
		return fail(err)
	}
	return r.statOf(result, encode)(r.asked(dirfd, pathArg, flags))
}

// asked finds the file that a path among the arguments leads to; none at all, where AT_EMPTY_PATH says so, means the descriptor.
func (r *request) asked(dirfd, pathArg, flags int) (*file, error) {
	path := ""
	if r.args[pathArg] != 0 || flags&unix.AT_EMPTY_PATH == 0 { // else it is as an empty one, since Linux 6.11
		var err error
		if path, err = r.pathArg(pathArg); err != nil {
			return nil, err
		}
	}
	if path == "" && flags&unix.AT_EMPTY_PATH != 0 && dirfd != unix.AT_FDCWD {
		return r.same(dirfd)
	}
	fd, err := r.open(dirfd, path, flags)
	if err != nil {
		return nil, err
	}
	return r.opened(fd)
}

// fstat is fstat(2).
func (r *request) fstat(result int, encode encoder) answer {
	return r.statOf(result, encode)(r.same(r.fd(0)))
}

// statOf answers for a file, which it closes.
func (r *request) statOf(result int, encode encoder) func(f *file, err error) answer {
	return func(f *file, err error) answer {
		if err != nil {
			return proceed() // with the kernel's own word for it
		}
		defer f.close()
		seen, ok := f.seen()
		if !ok {
			return proceed()
		}
		data, errno := encode(r.abi, &seen)
		if errno != 0 {
			return answer{errno: errno}
		}
		if err := r.write(r.args[result], data); err != nil {
			return failed(err)
		}
		return succeed(0)
	}
}

// seen is what a file looks like with what is recorded; false where that is what the kernel says.
func (f *file) seen() (unix.Stat_t, bool) {
	st := f.st
	if f.via != 0 { // to find out costs something once for each mount
		if own, err := f.r.own(f.fd, f.via); err != nil || !own {
			return st, false
		}
	}
	h := f.handle()
	o, err := inode.OwnerOf(h, &st)
	if err != nil {
		return st, false
	}
	if o.Open() && !f.r.w.o.Mode.steady() && f.madeHere() { // nothing is recorded of it
		o.Inherit(f.passedOn())
	}
	kind, major, minor, device, err := inode.DeviceOf(h, &st)
	if err != nil {
		return st, false
	}
	mode, err := inode.ModeOf(h, st.Mode)
	if err != nil || !device && mode == st.Mode && o.UID == st.Uid && o.GID == st.Gid {
		return st, false
	}
	if mine, err := f.mine(); err != nil || !mine {
		return st, false
	}
	st.Uid, st.Gid, st.Mode = o.UID, o.GID, mode
	if device {
		st.Mode = st.Mode&^unix.S_IFMT | kind
		st.Rdev = unix.Mkdev(major, minor)
	}
	return st, true
}

// statx is statx(2): the kernel's own answer, with what is recorded put in.
func (r *request) statx() answer {
	flags := int(r.u32(2))
	const sync = unix.AT_STATX_FORCE_SYNC | unix.AT_STATX_DONT_SYNC
	if flags&^(statFlags|sync) != 0 {
		return proceed()
	}
	if err := r.unreachable(r.fd(0), 1); err != nil {
		return fail(err)
	}
	f, err := r.asked(r.fd(0), 1, flags)
	if err != nil {
		return proceed()
	}
	defer f.close()
	seen, ok := f.seen()
	if !ok {
		return proceed()
	}
	var stx unix.Statx_t
	if err := retry(func() error { return unix.Statx(f.fd, "", unix.AT_EMPTY_PATH|flags&sync, int(r.u32(3)), &stx) }); err != nil {
		return fail(err)
	}
	stx.Uid, stx.Gid, stx.Mode = seen.Uid, seen.Gid, uint16(seen.Mode)
	if seen.Rdev != f.st.Rdev {
		stx.Rdev_major, stx.Rdev_minor = unix.Major(seen.Rdev), unix.Minor(seen.Rdev)
	}
	data := unsafe.Slice((*byte)(unsafe.Pointer(&stx)), unsafe.Sizeof(stx))
	if err := r.write(r.args[4], data); err != nil {
		return failed(err)
	}
	return succeed(0)
}
