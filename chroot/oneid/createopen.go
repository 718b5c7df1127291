package oneid

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

// The kernel's __O_TMPFILE, without O_DIRECTORY, which x/sys has in O_TMPFILE.
const tmpfileBit = 0o20000000

// createCalls are those that make files. Of open(2) only what may create goes through the supervisor.
func (m Mode) createCalls() []call {
	creating := func(arg int) [][]test {
		return [][]test{{is(arg, unix.O_CREAT, unix.O_CREAT)}, {is(arg, tmpfileBit, tmpfileBit)}}
	}
	const cwd = unix.AT_FDCWD
	return []call{
		{name: "open", nr: numbers{2, 5, none, 5}, when: creating(1), do: func(r *request) answer { return r.openArgs(cwd, 0) }},
		{name: "openat", nr: numbers{257, 295, 56, 322}, when: creating(2), do: func(r *request) answer { return r.openArgs(r.fd(0), 1) }},
		{name: "openat2", nr: everywhere(437), do: (*request).openat2},
		{name: "creat", nr: numbers{85, 8, none, 8}, do: (*request).creat},
		{name: "mkdir", nr: numbers{83, 39, none, 39}, do: func(r *request) answer { return r.mkdir(cwd, 0) }},
		{name: "mkdirat", nr: numbers{258, 296, 34, 323}, do: func(r *request) answer { return r.mkdir(r.fd(0), 1) }},
		{name: "symlink", nr: numbers{88, 83, none, 83}, do: func(r *request) answer { return r.symlink(cwd, 1) }},
		{name: "symlinkat", nr: numbers{266, 304, 36, 331}, do: func(r *request) answer { return r.symlink(r.fd(1), 2) }},
		{name: "bind", nr: numbers{49, 361, 200, 282}, do: func(r *request) answer { return r.bind(r.fd(0), r.args[1], r.u32(2)) }},
		{name: "getsockopt", nr: numbers{55, 365, 209, 295}, when: [][]test{{is(1, 0xffffffff, unix.SOL_SOCKET), is(2, 0xffffffff, unix.SO_PEERCRED)}}, do: func(r *request) answer {
			return r.peer(r.fd(0), r.args[3], r.args[4])
		}},
		{name: "setsockopt", nr: numbers{54, 366, 208, 294}, when: [][]test{{is(1, 0xffffffff, unix.SOL_SOCKET), is(2, 0xffffffff, unix.SO_PASSCRED)}}, do: (*request).passCreds},
		{name: "socketcall", nr: numbers{none, 102, none, none}, when: [][]test{{is(0, 0xffffffff, socketcallBind)}, {is(0, 0xffffffff, socketcallGetsockopt)}, {is(0, 0xffffffff, socketcallSetsockopt)}}, do: (*request).socketcall},
	}
}

// openArgs is open(2) of the path in an argument, with flags and mode behind it.
func (r *request) openArgs(dirfd, arg int) answer {
	return r.openMaking(dirfd, arg, unix.OpenHow{Flags: uint64(r.u32(arg + 1)), Mode: uint64(r.u32(arg+2)) & 0o7777})
}

func (r *request) creat() answer {
	return r.openMaking(unix.AT_FDCWD, 0, unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC, Mode: uint64(r.u32(1)) & 0o7777})
}

// openHowSize is that of struct open_how, of which no kernel has a longer one.
const openHowSize = 24

func (r *request) openat2() answer {
	if _, is := r.maker(); !is || r.args[3] != openHowSize {
		return proceed()
	}
	var b [openHowSize]byte
	if err := r.read(r.args[2], b[:]); err != nil {
		return proceed()
	}
	how := unix.OpenHow{Flags: binary.LittleEndian.Uint64(b[:]), Mode: binary.LittleEndian.Uint64(b[8:]), Resolve: binary.LittleEndian.Uint64(b[16:])}
	if how.Flags&(unix.O_CREAT|tmpfileBit) == 0 || how.Mode&^0o7777 != 0 {
		return proceed()
	}
	if how.Resolve != 0 {
		if fd, err := r.named(r.fd(0), 1, 0); err == nil {
			fd.close()
			return proceed() // nothing is to be made
		}
		r.w.lost.add("the owner of a file that another user than 0 made by openat2 with RESOLVE flags")
		return proceed()
	}
	return r.openMaking(r.fd(0), 1, how)
}

// openMaking opens a file that may have to be made. One that is there the kernel opens.
func (r *request) openMaking(dirfd, arg int, how unix.OpenHow) answer {
	c, is := r.maker()
	if !is || how.Flags&unix.O_PATH != 0 {
		return proceed()
	}
	path, err := r.pathArg(arg)
	if err != nil {
		return proceed()
	}
	if how.Flags&tmpfileBit != 0 {
		return r.openUnnamed(c, dirfd, path, how)
	}
	if how.Flags&unix.O_DIRECTORY != 0 {
		return proceed()
	}
	for range maxLinks {
		m, err := r.making(c, dirfd, path, uint32(how.Mode))
		if err != nil {
			return failed(err)
		}
		link, a := m.open(how)
		m.done()
		if link == "" {
			return a
		}
		if link[0] != '/' {
			link = path[:strings.LastIndexByte(path, '/')+1] + link
		}
		path = link
	}
	return answer{errno: unix.ELOOP}
}

// open opens what is to be made, or returns where a symbolic link of that name leads.
func (m *making) open(how unix.OpenHow) (string, answer) {
	st, is, err := m.exists()
	switch {
	case err != nil:
		return "", failed(err)
	case is && (how.Flags&unix.O_EXCL != 0 || st.Mode&unix.S_IFMT != unix.S_IFLNK):
		return "", m.openThere(how)
	case is && how.Flags&unix.O_NOFOLLOW != 0:
		return "", proceed()
	case is:
		return m.follow()
	}
	if err := m.prepare(); err != nil {
		return "", failed(err)
	}
	own := unix.OpenHow{Flags: how.Flags | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC, Mode: uint64(m.mode)}
	fd := -1
	err = retry(func() (err error) {
		fd, err = unix.Openat2(m.dir.fd, m.name, &own)
		return err
	})
	if err != nil {
		return "", failed(err) // EEXIST: somebody was quicker
	}
	return "", m.handOver(fd, how)
}

// openThere leaves what is there already to the kernel, if the process may open it.
func (m *making) openThere(how unix.OpenHow) answer {
	if how.Flags&unix.O_EXCL != 0 {
		return proceed() // EEXIST
	}
	fd, err := openPath(m.dir.fd, m.name, unix.O_NOFOLLOW)
	if err != nil {
		return proceed()
	}
	defer closeFD(fd)
	f, err := m.r.look(fd)
	if err != nil || !f.own || f.mode&unix.S_IFMT == unix.S_IFDIR {
		return proceed()
	}
	want := uint32(mayRead)
	switch how.Flags & unix.O_ACCMODE {
	case unix.O_WRONLY:
		want = mayWrite
	case unix.O_RDWR, unix.O_ACCMODE:
		want = mayRead | mayWrite
	}
	if how.Flags&unix.O_TRUNC != 0 {
		want |= mayWrite
	}
	if !m.c.may(f, want) {
		return answer{errno: unix.EACCES}
	}
	return proceed()
}

// follow reads the link of the name. Where it leads to, something may be to be made.
func (m *making) follow() (string, answer) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(m.dir.fd, m.name, buf[:])
	if err != nil || n == 0 {
		return "", proceed()
	}
	return string(buf[:n]), answer{}
}

// handOver gives a file that was made to the process and puts it among its open files.
func (m *making) handOver(fd int, how unix.OpenHow) answer {
	defer closeFD(fd)
	if err := m.give(fd); err != nil {
		if how.Flags&tmpfileBit == 0 {
			m.unmake(fd)
		}
		return failed(err)
	}
	if errno := m.r.w.listener.sendFile(m.r.w.n.id, fd, uint32(how.Flags&unix.O_CLOEXEC)); errno != 0 {
		return answer{errno: errno}
	}
	return answer{sent: true}
}

// openUnnamed opens a file without a name (O_TMPFILE).
func (r *request) openUnnamed(c cred, dirfd int, path string, how unix.OpenHow) answer {
	fd, err := r.open(dirfd, path, 0)
	if err != nil {
		return failed(err)
	}
	defer closeFD(fd)
	m := &making{r: r, c: c, name: ""}
	if err := m.enter(fd, dirfd, path, uint32(how.Mode)); err != nil {
		return failed(err)
	}
	return m.openUnnamed(how)
}

func (m *making) openUnnamed(how unix.OpenHow) answer {
	if err := m.allow(); err != nil {
		return failed(err)
	}
	own := unix.OpenHow{Flags: how.Flags | unix.O_CLOEXEC, Mode: uint64(m.mode)}
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat2(m.dir.fd, ".", &own)
		return err
	})
	if err != nil {
		return failed(err)
	}
	return m.handOver(fd, how)
}
