package oneid

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// A cred is what a process believes to be: credentials(7) and capabilities(7), as the kernel would have them if the
// process were real root's. It is a value: whoever changes an id gets another one. The zero value is not valid; see rootCred.
type cred struct {
	uid, gid ids

	groups     string // supplementary, four bytes each, little endian, sorted
	caps       capSets
	securebits uint32
}

// ids are the four user or group ids of a process.
type ids struct{ real, effective, saved, fs uint32 }

// noID leaves an id as it is, in the calls that set several.
const noID = 0xffffffff

// rootCred is what the first process of a node has: id 0, no supplementary groups, these capabilities.
func rootCred(bounding capSet) cred {
	return cred{caps: capSets{permitted: bounding, effective: bounding, bounding: bounding}}
}

// in reports whether id is one of those of a process that an unprivileged call may take.
func (i ids) in(id uint32, withSaved bool) bool {
	return id == i.real || id == i.effective || withSaved && id == i.saved
}

// idKind tells users from groups: the same rules but for what follows from a change of the user.
type idKind int

const (
	users idKind = iota
	groups
)

// of returns the ids of a kind and whether the process may take any.
func (c *cred) of(k idKind) (*ids, bool) {
	if k == groups {
		return &c.gid, c.caps.effective.has(unix.CAP_SETGID)
	}
	return &c.uid, c.caps.effective.has(unix.CAP_SETUID)
}

// changed is c after the ids of a kind have become now.
func (c cred) changed(k idKind, now ids) cred {
	if k == groups {
		c.gid = now
		return c
	}
	was := c.uid
	c.uid = now
	c.fixCaps(was)
	return c
}

// setID is setuid(2) or setgid(2).
func (c cred) setID(k idKind, id uint32) (cred, unix.Errno) {
	if id == noID {
		return c, unix.EINVAL
	}
	now, may := c.of(k)
	next := *now
	switch {
	case may:
		next.real, next.saved = id, id
	case id != now.real && id != now.saved:
		return c, unix.EPERM
	}
	next.effective, next.fs = id, id
	return c.changed(k, next), 0
}

// setReID is setreuid(2) or setregid(2).
func (c cred) setReID(k idKind, realID, effectiveID uint32) (cred, unix.Errno) {
	now, may := c.of(k)
	next := *now
	if realID != noID {
		if !may && !now.in(realID, false) {
			return c, unix.EPERM
		}
		next.real = realID
	}
	if effectiveID != noID {
		if !may && !now.in(effectiveID, true) {
			return c, unix.EPERM
		}
		next.effective = effectiveID
	}
	if realID != noID || effectiveID != noID && effectiveID != now.real {
		next.saved = next.effective
	}
	next.fs = next.effective
	return c.changed(k, next), 0
}

// setResID is setresuid(2) or setresgid(2).
func (c cred) setResID(k idKind, realID, effectiveID, savedID uint32) (cred, unix.Errno) {
	now, may := c.of(k)
	next := *now
	keeps := func(id, is uint32) bool { return id == noID || id == is }
	if keeps(realID, now.real) && keeps(effectiveID, now.effective) && keeps(effectiveID, now.fs) && keeps(savedID, now.saved) {
		return c, 0 // the file system's id may still be another
	}
	for _, one := range []struct {
		to *uint32
		id uint32
	}{{&next.real, realID}, {&next.effective, effectiveID}, {&next.saved, savedID}} {
		if one.id == noID {
			continue
		}
		if !may && !now.in(one.id, true) {
			return c, unix.EPERM
		}
		*one.to = one.id
	}
	next.fs = next.effective
	return c.changed(k, next), 0
}

// setFSID is setfsuid(2) or setfsgid(2), which never fail: where the caller may not, nothing changes.
func (c cred) setFSID(k idKind, id uint32) cred {
	now, may := c.of(k)
	if id == noID || !may && !now.in(id, true) && id != now.fs {
		return c
	}
	next := *now
	next.fs = id
	if k == groups {
		c.gid = next
		return c
	}
	was := c.uid
	c.uid = next
	c.fixFSCaps(was.fs)
	return c
}

// maxGroups is the kernel's NGROUPS_MAX.
const maxGroups = 65536

// setGroups is setgroups(2).
func (c cred) setGroups(list []uint32) (cred, unix.Errno) {
	if !c.caps.effective.has(unix.CAP_SETGID) {
		return c, unix.EPERM
	}
	list = slices.Clone(list)
	slices.Sort(list) // as the kernel tells them
	b := make([]byte, 0, 4*len(list))
	for _, g := range list {
		if g == noID {
			return c, unix.EINVAL
		}
		b = binary.LittleEndian.AppendUint32(b, g)
	}
	c.groups = string(b)
	return c, 0
}

// groupList is what getgroups(2) answers.
func (c cred) groupList() []uint32 {
	list := make([]uint32, 0, len(c.groups)/4)
	for b := []byte(c.groups); len(b) >= 4; b = b[4:] {
		list = append(list, binary.LittleEndian.Uint32(b))
	}
	return list
}

// inGroup reports whether files of a group are the process's as its group.
func (c cred) inGroup(gid uint32) bool {
	if gid == c.gid.fs {
		return true
	}
	for b := []byte(c.groups); len(b) >= 4; b = b[4:] {
		if binary.LittleEndian.Uint32(b) == gid {
			return true
		}
	}
	return false
}
