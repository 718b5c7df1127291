package oneid

import (
	"errors"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// keepID leaves an id as it is.
const keepID = inode.NoID

// ownerCalls are those that change owners.
func (m Mode) ownerCalls() []call {
	ids := func(uid, gid int) [][]test { return m.outside(uid, gid, keepID) }
	short := func(uid, gid int) [][]test { return m.outside(uid, gid, 0xffff) }
	return []call{
		{name: "chown", nr: numbers{92, 212, none, 212}, when: ids(1, 2), do: func(r *request) answer { return r.chown(unix.AT_FDCWD, 0, 0, r.u32(1), r.u32(2)) }},
		{name: "lchown", nr: numbers{94, 198, none, 198}, when: ids(1, 2), do: func(r *request) answer {
			return r.chown(unix.AT_FDCWD, 0, unix.AT_SYMLINK_NOFOLLOW, r.u32(1), r.u32(2))
		}},
		{name: "fchown", nr: numbers{93, 207, 55, 207}, when: ids(1, 2), do: func(r *request) answer { return r.fchown(r.u32(1), r.u32(2)) }},
		{name: "fchownat", nr: numbers{260, 298, 54, 325}, when: ids(2, 3), do: func(r *request) answer {
			return r.chown(r.fd(0), 1, int(r.u32(4)), r.u32(2), r.u32(3))
		}},
		{name: "chown16", nr: numbers{none, 182, none, 182}, when: short(1, 2), do: func(r *request) answer {
			return r.chown(unix.AT_FDCWD, 0, 0, wide(r.u32(1)), wide(r.u32(2)))
		}},
		{name: "lchown16", nr: numbers{none, 16, none, 16}, when: short(1, 2), do: func(r *request) answer {
			return r.chown(unix.AT_FDCWD, 0, unix.AT_SYMLINK_NOFOLLOW, wide(r.u32(1)), wide(r.u32(2)))
		}},
		{name: "fchown16", nr: numbers{none, 95, none, 95}, when: short(1, 2), do: func(r *request) answer { return r.fchown(wide(r.u32(1)), wide(r.u32(2))) }},
	}
}

// plainCalls answer success where nobody can be notified.
func plainCalls() []call {
	all := Mode{UIDs: []Range{{}}, GIDs: []Range{{}}}.ownerCalls()
	for i := range all {
		all[i].do, all[i].when = nil, nil
	}
	return all
}

// outside is when a call that sets owners goes beyond what the kernel knows. With one id it always does: a file that is given to
// root must lose its record. max is the id that means none, in so many bits.
func (m Mode) outside(uid, gid int, none uint32) [][]test {
	if m.single() {
		return nil
	}
	return append(gaps(uid, m.UIDs, none), gaps(gid, m.GIDs, none)...)
}

// gaps are the ids between ranges, as alternatives.
func gaps(arg int, known []Range, none uint32) [][]test {
	var all [][]test
	next := uint64(0)
	add := func(first, last uint64) {
		if last = min(last, uint64(none)-1); first <= last {
			all = append(all, []test{{arg: arg, mask: none, min: uint32(first), max: uint32(last)}})
		}
	}
	for _, k := range known {
		if uint64(k.First) > next {
			add(next, uint64(k.First)-1)
		}
		next = uint64(k.Last) + 1
	}
	add(next, 1<<32-1)
	if all == nil { // none: a test that never holds
		all = [][]test{{{arg: arg, mask: 0, min: 1, max: 1}}}
	}
	return all
}

// wide is an id of 16 bits.
func wide(id uint32) uint32 {
	if id &= 0xffff; id == 0xffff {
		return keepID
	}
	return id
}

// chown is fchownat(2).
func (r *request) chown(dirfd, pathArg, flags int, uid, gid uint32) answer {
	if flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return proceed()
	}
	f, err := r.reached(dirfd, pathArg, flags)
	if errors.Is(err, unix.EACCES) {
		return fail(err)
	}
	if err != nil {
		return proceed() // with the kernel's own word for it
	}
	defer f.close()
	return f.chown(uid, gid)
}

// fchown is fchown(2).
func (r *request) fchown(uid, gid uint32) answer {
	f, err := r.same(r.fd(0))
	if err != nil {
		return proceed()
	}
	defer f.close()
	return f.chown(uid, gid)
}

// chown gives a file to somebody, as far as the kernel can, and records the rest. On the host's files, where ids mean what they
// mean there, it only says so.
func (f *file) chown(uid, gid uint32) answer {
	mine, err := f.mine()
	if err != nil {
		return failed(err)
	}
	if !mine {
		return succeed(0)
	}
	if err := f.mayGive(uid, gid); err != nil {
		return failed(err)
	}
	if f.r.w.unread() {
		return answer{sent: true}
	}
	if f.st.Mode&(unix.S_IFMT|unix.S_ISGID) == unix.S_IFDIR|unix.S_ISGID && gid != keepID && f.r.w.o.Mode.single() {
		if gid != 0 && f.r.w.unsteady() {
			return answer{sent: true}
		}
		f.r.settled(f.settleAll(f.passing()))
	}
	err = retry(func() error { return inode.Chown(f.handle(), &f.st, uid, gid, inode.AnyDirectory()) })
	switch {
	case errors.Is(err, unix.EROFS): // mounted by init
		return succeed(0)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPERM):
		f.r.w.lost.add("owners on a file system that cannot bear them")
		return succeed(0)
	case err != nil:
		return fail(err)
	}
	return succeed(0)
}

func isIn(known []Range, id uint32) bool {
	for _, k := range known {
		if k.First <= id && id <= k.Last {
			return true
		}
	}
	return false
}
