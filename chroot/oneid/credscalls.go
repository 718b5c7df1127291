package oneid

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// setCredCalls are those of them that set credentials, and that which tells the groups, of which the kernel knows others.
func (m Mode) setCredCalls() []call {
	return slices.DeleteFunc(m.credCalls(), func(c call) bool {
		return strings.HasPrefix(c.name, "get") && !strings.HasPrefix(c.name, "getgroups")
	})
}

// credCalls are those that set and tell credentials. The old forms of 32-bit machines have ids of 16 bits.
func (m Mode) credCalls() []call {
	var all []call
	add := func(name string, wide, old numbers, do func(old bool) func(*request) answer) {
		all = append(all, call{name: name, nr: wide, do: do(false)}, call{name: name + "16", nr: old, do: do(true)})
	}
	on := func(amd64, arm64, narrow int) numbers { return numbers{amd64, narrow, arm64, narrow} }
	for _, k := range []idKind{users, groups} {
		pick := func(u, g numbers) numbers {
			if k == groups {
				return g
			}
			return u
		}
		name := [...]string{"uid", "gid"}[k]
		add("set"+name, pick(on(105, 146, 213), on(106, 144, 214)), pick(on(none, none, 23), on(none, none, 46)), setter(func(c cred, a [3]uint32) (cred, unix.Errno) { return c.setID(k, a[0]) }))
		add("setre"+name, pick(on(113, 145, 203), on(114, 143, 204)), pick(on(none, none, 70), on(none, none, 71)), setter(func(c cred, a [3]uint32) (cred, unix.Errno) { return c.setReID(k, a[0], a[1]) }))
		add("setres"+name, pick(on(117, 147, 208), on(119, 149, 210)), pick(on(none, none, 164), on(none, none, 170)), setter(func(c cred, a [3]uint32) (cred, unix.Errno) { return c.setResID(k, a[0], a[1], a[2]) }))
		add("setfs"+name, pick(on(122, 151, 215), on(123, 152, 216)), pick(on(none, none, 138), on(none, none, 139)), func(old bool) func(*request) answer {
			return func(r *request) answer { return r.setFSID(k, old) }
		})
		add("get"+name, pick(on(102, 174, 199), on(104, 176, 200)), pick(on(none, none, 24), on(none, none, 47)), getter(k, func(i ids) uint32 { return i.real }))
		add("gete"+name, pick(on(107, 175, 201), on(108, 177, 202)), pick(on(none, none, 49), on(none, none, 50)), getter(k, func(i ids) uint32 { return i.effective }))
		add("getres"+name, pick(on(118, 148, 209), on(120, 150, 211)), pick(on(none, none, 165), on(none, none, 171)), func(old bool) func(*request) answer {
			return func(r *request) answer { return r.getResID(k, old) }
		})
	}
	add("setgroups", on(116, 159, 206), on(none, none, 81), func(old bool) func(*request) answer {
		return func(r *request) answer { return r.setGroups(old) }
	})
	add("getgroups", on(115, 158, 205), on(none, none, 80), func(old bool) func(*request) answer {
		return func(r *request) answer { return r.getGroups(old) }
	})
	return all
}

// capCalls are those about capabilities, and what keeps processes from the limit that stands for their credentials.
func (m Mode) capCalls() []call {
	of := func(option uint32) []test { return []test{is(0, 0xffffffff, option)} }
	return []call{
		{name: "capget", nr: numbers{125, 184, 90, 184}, do: (*request).capget},
		{name: "capset", nr: numbers{126, 185, 91, 185}, do: (*request).capset},
		{name: "prctl", nr: numbers{157, 172, 167, 172}, do: (*request).prctl, when: [][]test{
			of(unix.PR_CAPBSET_READ), of(unix.PR_CAPBSET_DROP), of(unix.PR_GET_SECUREBITS), of(unix.PR_SET_SECUREBITS),
			of(unix.PR_GET_KEEPCAPS), of(unix.PR_SET_KEEPCAPS), of(unix.PR_CAP_AMBIENT),
		}},
		{name: "setrlimit", nr: numbers{160, 75, none, 75}, when: [][]test{of(unix.RLIMIT_LOCKS)}},
		{name: "setrlimit", nr: numbers{none, none, 164, none}, when: [][]test{of(unix.RLIMIT_LOCKS)}},
	}
}

// creds returns the credentials of the calling process; changed says that they are no longer what it began with. Where the
// process is gone they are another's, and so is nobody's answer.
// errProceed: it is in a user namespace of its own.
func (r *request) creds() (c cred, changed bool, err error) {
	if c, changed, err = r.w.creds.of(r.tid); err != nil || !changed {
		return c, false, err
	}
	home, err := r.atHome()
	if err == nil && !home {
		err = errProceed // ids mean others there
	}
	return c, changed, err
}

// change gives the calling process other credentials.
func (r *request) change(f func(c cred) (cred, int64, unix.Errno)) answer {
	r.w.creds.changing.Lock()
	defer r.w.creds.changing.Unlock()
	c, _, err := r.creds()
	if err != nil {
		return failed(err)
	}
	next, value, errno := f(c)
	if errno != 0 {
		return answer{errno: errno}
	}
	if next != c {
		home, err := r.atHome()
		if err != nil || !home {
			return proceed()
		}
		if err := r.valid(); err != nil {
			return fail(err)
		}
		if r.w.unsteady() {
			return answer{sent: true}
		}
		if err := r.w.creds.set(r.tid, next); err != nil {
			return fail(err)
		}
	}
	return succeed(value)
}

// id is an argument that is an id; in the old calls one of 16 bits.
func (r *request) id(i int, old bool) uint32 {
	if old {
		return wide(r.u32(i))
	}
	return r.u32(i)
}

// overflowID is what the old calls tell of an id that has more than 16 bits.
const overflowID = 65534

func oldID(id uint32) uint16 {
	if id > 0xffff {
		return overflowID
	}
	return uint16(id)
}

func setter(f func(c cred, a [3]uint32) (cred, unix.Errno)) func(old bool) func(*request) answer {
	return func(old bool) func(*request) answer {
		return func(r *request) answer {
			a := [3]uint32{r.id(0, old), r.id(1, old), r.id(2, old)}
			return r.change(func(c cred) (cred, int64, unix.Errno) {
				next, errno := f(c, a)
				return next, 0, errno
			})
		}
	}
}

func (r *request) setFSID(k idKind, old bool) answer {
	id := r.id(0, old)
	return r.change(func(c cred) (cred, int64, unix.Errno) {
		now, _ := c.of(k)
		return c.setFSID(k, id), int64(now.fs), 0 // in full to the old calls, too
	})
}

func getter(k idKind, which func(i ids) uint32) func(old bool) func(*request) answer {
	return func(old bool) func(*request) answer {
		return func(r *request) answer {
			c, changed, err := r.creds()
			if err != nil || !changed {
				return proceed()
			}
			now, _ := c.of(k)
			if old {
				return succeed(int64(oldID(which(*now))))
			}
			return succeed(int64(which(*now)))
		}
	}
}

// getResID writes real, effective and saved id.
func (r *request) getResID(k idKind, old bool) answer {
	c, changed, err := r.creds()
	if err != nil || !changed {
		return proceed()
	}
	now, _ := c.of(k)
	for i, id := range []uint32{now.real, now.effective, now.saved} {
		if err := r.write(r.args[i], encodeIDs([]uint32{id}, old)); err != nil {
			return failed(err)
		}
	}
	return succeed(0)
}

func encodeIDs(list []uint32, old bool) []byte {
	var b []byte
	for _, id := range list {
		if old {
			b = binary.LittleEndian.AppendUint16(b, oldID(id))
		} else {
			b = binary.LittleEndian.AppendUint32(b, id)
		}
	}
	return b
}

func (r *request) setGroups(old bool) answer {
	if may, err := r.holds(unix.CAP_SETGID); err != nil || !may {
		return failed(errors.Join(err, unix.EPERM))
	}
	n := r.u32(0)
	if n > maxGroups {
		return answer{errno: unix.EINVAL}
	}
	size := 4
	if old {
		size = 2
	}
	data := make([]byte, size*int(n))
	if err := r.read(r.args[1], data); err != nil {
		return failed(err)
	}
	list := make([]uint32, n)
	for i := range list {
		if old {
			list[i] = wide(uint32(binary.LittleEndian.Uint16(data[2*i:])))
		} else {
			list[i] = binary.LittleEndian.Uint32(data[4*i:])
		}
	}
	return r.change(func(c cred) (cred, int64, unix.Errno) {
		next, errno := c.setGroups(list)
		return next, 0, errno
	})
}

// getGroups is never the kernel's to answer: with one id it tells the groups of the user who builds.
func (r *request) getGroups(old bool) answer {
	c, _, err := r.creds()
	if err != nil {
		return failed(err)
	}
	room, list := int32(r.u32(0)), c.groupList()
	switch {
	case room < 0, room != 0 && int(room) < len(list):
		return answer{errno: unix.EINVAL}
	case room == 0:
		return succeed(int64(len(list)))
	}
	if err := r.write(r.args[1], encodeIDs(list, old)); err != nil {
		return failed(err)
	}
	return succeed(int64(len(list)))
}
