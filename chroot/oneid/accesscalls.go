package oneid

import (
	"golang.org/x/sys/unix"
)

// accessCalls ask whether a file may be read, written or executed. A process that has changed its user is told what it would be
// told by the kernel if the user were real, though it could do all of it.
func (m Mode) accessCalls() []call {
	return []call{
		{name: "access", nr: numbers{21, 33, none, 33}, do: func(r *request) answer { return r.access(unix.AT_FDCWD, 0, 0) }},
		{name: "faccessat", nr: numbers{269, 307, 48, 334}, do: func(r *request) answer { return r.access(r.fd(0), 1, 0) }},
		{name: "faccessat2", nr: everywhere(439), do: func(r *request) answer { return r.access(r.fd(0), 1, int(r.u32(3))) }},
	}
}

// access is faccessat2(2) of the path in an argument, with the mode behind it. What is allowed the kernel goes on with: there may be
// other reasons against it.
func (r *request) access(dirfd, arg, flags int) answer {
	c, changed, err := r.creds()
	if err != nil || !changed || flags&^(unix.AT_EACCESS|unix.AT_SYMLINK_NOFOLLOW) != 0 {
		return proceed()
	}
	if flags&unix.AT_EACCESS == 0 {
		c = c.asReal()
	}
	path, err := r.pathArg(arg)
	if err != nil {
		return proceed()
	}
	if dir, _, err := r.openParent(dirfd, path); err == nil {
		err := r.reach(c, dirfd, path, dir)
		closeFD(dir)
		if err != nil {
			return failed(err)
		}
	}
	fd, err := r.open(dirfd, path, flags&unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return proceed()
	}
	defer closeFD(fd)
	f, err := r.look(fd)
	if err != nil || !f.own {
		return proceed()
	}
	if !c.may(f, r.u32(arg+1)&7) {
		return answer{errno: unix.EACCES}
	}
	return proceed()
}

// asReal are the credentials by which access(2) goes: the real ids.
func (c cred) asReal() cred {
	c.uid.fs, c.gid.fs = c.uid.real, c.gid.real
	if c.securebits&secureNoSetuidFixup == 0 {
		c.caps.effective = 0
		if c.uid.real == 0 {
			c.caps.effective = c.caps.permitted
		}
	}
	return c
}
