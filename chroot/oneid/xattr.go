package oneid

import (
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// An xattrCall says where a call on attributes has its arguments.
type xattrCall struct {
	byFD     bool // argument 0 is a descriptor
	nofollow bool
	at       bool // setxattrat and its like: descriptor, path, flags
	name     int  // -1: none
	value    int  // then the size behind it; -1: none
	flags    int  // of setxattr
	writes   bool // it changes the file
	asStruct bool // value, size and flags are in a struct xattr_args
}

// xattrCalls are all that read and write attributes: some of trusted.* and security.* the kernel refuses to a user
// namespace, lists that name an id outside of its map too, and what xtoo keeps records in is nobody's.
func (m Mode) xattrCalls() []call {
	var all []call
	family := func(what string, first numbers, at int, x xattrCall, do func(*request, xattrCall) answer) {
		for i, prefix := range []string{"", "l", "f"} {
			one := x
			one.nofollow, one.byFD = i == 1, i == 2
			nr := first
			for j := range nr {
				nr[j] += i
			}
			all = append(all, call{name: prefix + what, nr: nr, do: func(r *request) answer { return do(r, one) }})
		}
		one := x
		one.at, one.asStruct = true, x.value >= 0 && x.name >= 0
		if one.name >= 0 {
			one.name = 3
		}
		if one.value >= 0 {
			one.value = 4
			if x.name < 0 {
				one.value = 3
			}
		}
		all = append(all, call{name: what + "at", nr: everywhere(at), do: func(r *request) answer { return do(r, one) }})
	}
	family("setxattr", numbers{188, 226, 5, 226}, 463, xattrCall{name: 1, value: 2, flags: 4, writes: true}, (*request).setXattr)
	family("getxattr", numbers{191, 229, 8, 229}, 464, xattrCall{name: 1, value: 2}, (*request).getXattr)
	family("listxattr", numbers{194, 232, 11, 232}, 465, xattrCall{name: -1, value: 1}, (*request).listXattr)
	family("removexattr", numbers{197, 235, 14, 235}, 466, xattrCall{name: 1, value: -1, writes: true}, (*request).removeXattr)
	return all
}

// A buffer is memory of a process.
type buffer struct {
	addr  uint64
	size  uint64
	flags int
}

// buffer reads where the value of an attribute is.
func (r *request) buffer(x xattrCall) (buffer, error) {
	if !x.asStruct {
		b := buffer{addr: r.args[x.value], size: r.args[x.value+1]}
		if x.flags > 0 {
			b.flags = int(r.u32(x.flags))
		}
		return b, nil
	}
	var args [16]byte // struct xattr_args
	if r.args[x.value+1] != uint64(len(args)) {
		return buffer{}, errProceed // a later kernel's
	}
	if err := r.read(r.args[x.value], args[:]); err != nil {
		return buffer{}, err
	}
	return buffer{
		addr: binary.LittleEndian.Uint64(args[:]), size: uint64(binary.LittleEndian.Uint32(args[8:])),
		flags: int(binary.LittleEndian.Uint32(args[12:])),
	}, nil
}

// about finds the file of a call.
func (r *request) about(x xattrCall) (*file, error) {
	switch {
	case x.byFD:
		return r.numbered(r.fd(0))
	case x.at:
		flags := int(r.u32(2))
		if flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
			return nil, errProceed
		}
		return r.reached(r.fd(0), 1, flags)
	case x.nofollow:
		return r.reached(unix.AT_FDCWD, 0, unix.AT_SYMLINK_NOFOLLOW)
	}
	return r.reached(unix.AT_FDCWD, 0, 0)
}

// nameArg reads the name of an attribute.
func (r *request) nameArg(x xattrCall) (string, error) {
	return r.text(r.args[x.name], layers.MaxXattrName+1, unix.ERANGE)
}

// refusedName says that the kernel may refuse an attribute for its name.
func refusedName(name string) bool {
	return strings.HasPrefix(name, "trusted.") || strings.HasPrefix(name, "security.") && name != layers.XattrCapability
}

// isACL says that an attribute is a list of access.
func isACL(name string) bool { return strings.HasPrefix(name, "system.posix_acl_") }

// concerns says that an attribute may be in a record, or be one.
func concerns(name string) bool {
	return refusedName(name) || isACL(name) || name == layers.XattrCapability || layers.IsOurs(name)
}

// setXattr is setxattr(2).
func (r *request) setXattr(x xattrCall) answer {
	return r.onName(x, func(f *file, name string) answer {
		b, err := r.buffer(x)
		if err != nil {
			return failed(err)
		}
		if b.size > layers.MaxXattrValue || b.flags&^(unix.XATTR_CREATE|unix.XATTR_REPLACE) != 0 {
			return proceed()
		}
		value := make([]byte, b.size)
		if err := r.read(b.addr, value); err != nil {
			return proceed()
		}
		if err := f.mayMark(name); err != nil {
			return failed(err)
		}
		return f.setXattr(name, value, b.flags)
	})
}

// onName answers a call about one attribute, where that is more than the kernel's to answer.
func (r *request) onName(x xattrCall, do func(f *file, name string) answer) answer {
	name, err := r.nameArg(x)
	if err != nil {
		return proceed()
	}
	if !concerns(name) {
		if _, is := r.stranger(); !is {
			return proceed()
		}
		return r.onFile(x, func(f *file) answer {
			if err := f.mayUse(name, x.writes); err != nil {
				return fail(err)
			}
			return proceed()
		})
	}
	return r.onFile(x, func(f *file) answer { return do(f, name) })
}

// onFile answers a call about a file on which something may be recorded.
func (r *request) onFile(x xattrCall, do func(f *file) answer) answer {
	f, err := r.about(x)
	if errors.Is(err, unix.EACCES) {
		return fail(err)
	}
	if err != nil {
		return proceed()
	}
	defer f.close()
	if mine, err := f.mine(); err != nil || !mine {
		return proceed()
	}
	return do(f)
}

func (f *file) setXattr(name string, value []byte, flags int) answer {
	h := f.handle()
	if is, err := inode.IsRecord(h, name); err != nil || is {
		return answer{errno: unix.EPERM}
	}
	if name == layers.XattrCapability {
		return proceed()
	}
	if isACL(name) {
		return f.setACL(name, value)
	}
	if err := retry(func() error { return inode.KeepXattr(h, name, value, flags) }); err != nil {
		return fail(err)
	}
	return succeed(0)
}

// setACL sets a list of access: for real where the kernel knows all ids, else in a record. Either ends the other.
func (f *file) setACL(name string, value []byte) answer {
	m := &f.r.w.o.Mode
	known := func(id uint32, group bool) bool {
		if group {
			return isIn(m.GIDs, id)
		}
		return isIn(m.UIDs, id)
	}
	perm, inside, ok := layers.ACLWithin(string(value), known)
	if !ok || inside {
		if err := f.forget(name); err != nil {
			return fail(err)
		}
		return proceed()
	}
	h := f.handle()
	if !carries(f.st.Mode) {
		return answer{errno: unix.EOPNOTSUPP}
	}
	if name == layers.XattrDefaultACL {
		if f.st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return answer{errno: unix.EACCES}
		}
		if !m.single() {
			f.r.w.lost.add("what a directory's default list of access, with ids that this user does not have, gives to new files")
		}
		if f.r.w.unsteady() {
			return answer{sent: true}
		}
		f.r.w.lists.Store(true)
	} else if err := unix.Chmod(f.name(), f.st.Mode&0o7000|perm); err != nil {
		return fail(err)
	}
	if err := h.RemoveXattr(name); err != nil {
		return fail(err)
	}
	if err := inode.KeepXattr(h, name, value, 0); err != nil {
		return fail(err)
	}
	return succeed(0)
}

// forget removes a record, where there is one.
func (f *file) forget(name string) error {
	err := inode.ForgetXattr(f.handle(), name)
	if errors.Is(err, unix.ENODATA) {
		return nil
	}
	return err
}

// getXattr is getxattr(2).
func (r *request) getXattr(x xattrCall) answer {
	return r.onName(x, func(f *file, name string) answer {
		h := f.handle()
		if is, err := inode.IsRecord(h, name); err != nil || is || f.hides(name) {
			return answer{errno: unix.ENODATA}
		}
		value, ok, err := inode.KeptXattr(h, name)
		switch {
		case err != nil:
			return fail(err)
		case !ok:
			return proceed()
		}
		if name == layers.XattrACL {
			value = []byte(layers.ACLOfMode(string(value), f.st.Mode))
		}
		b, err := r.buffer(x)
		if err != nil {
			return failed(err)
		}
		return r.giveBack(b, value)
	})
}

// giveBack writes a result and says its size, or says it only where that is all that is asked for.
func (r *request) giveBack(b buffer, data []byte) answer {
	if b.size == 0 {
		return succeed(int64(len(data)))
	}
	if uint64(len(data)) > b.size {
		return answer{errno: unix.ERANGE}
	}
	if err := r.write(b.addr, data); err != nil {
		return failed(err)
	}
	return succeed(int64(len(data)))
}

// listXattr is listxattr(2).
func (r *request) listXattr(x xattrCall) answer {
	return r.onFile(x, func(f *file) answer {
		names, differ, err := inode.ShownXattrs(f.handle())
		if err != nil {
			return fail(err)
		}
		if !differ {
			return proceed()
		}
		var list []byte
		for _, name := range names {
			if !f.hides(name) {
				list = append(append(list, name...), 0)
			}
		}
		if len(list) > layers.MaxXattrValue {
			return answer{errno: unix.E2BIG}
		}
		return r.giveBack(buffer{addr: r.args[x.value], size: r.args[x.value+1]}, list)
	})
}

// removeXattr is removexattr(2).
func (r *request) removeXattr(x xattrCall) answer {
	return r.onName(x, func(f *file, name string) answer {
		if err := f.mayMark(name); err != nil {
			return failed(err)
		}
		h := f.handle()
		if is, err := inode.IsRecord(h, name); err != nil || is {
			return answer{errno: unix.ENODATA}
		}
		switch err := inode.ForgetXattr(h, name); {
		case errors.Is(err, unix.ENODATA) && !refusedName(name): // it may be there for real
			return proceed()
		case err != nil:
			return fail(err)
		}
		return succeed(0)
	})
}
