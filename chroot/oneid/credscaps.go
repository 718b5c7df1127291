package oneid

import (
	"golang.org/x/sys/unix"
)

// A capSet has one bit a capability, as /proc/PID/status shows it.
type capSet uint64

// capSets are the sets of capabilities(7).
type capSets struct{ permitted, effective, inheritable, ambient, bounding capSet }

func (s capSet) has(n int) bool         { return n >= 0 && n < 64 && s&(1<<n) != 0 }
func (s capSet) isIn(other capSet) bool { return s&^other == 0 }
func capsOf(numbers ...int) (set capSet) {
	for _, n := range numbers {
		set |= 1 << n
	}
	return set
}

// The bits of securebits, each with a lock, the next bit.
const (
	secureNoRoot         = 1 << 0
	secureNoSetuidFixup  = 1 << 2
	secureKeepCaps       = 1 << 4
	secureKeepCapsLocked = 1 << 5
	secureNoAmbientRaise = 1 << 6

	secureBits  = 0x555 // with those of Linux 6.14 that restrict what scripts execute
	secureLocks = secureBits << 1
)

// fsCaps are the capabilities that go with the file system's user id (CAP_FS_SET).
func fsCaps() capSet {
	return capsOf(unix.CAP_CHOWN, unix.CAP_MKNOD, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_FSETID,
		unix.CAP_LINUX_IMMUTABLE, unix.CAP_MAC_OVERRIDE)
}

// fixCaps changes the capabilities as follows from a change of the real, effective and saved user ids.
func (c *cred) fixCaps(was ids) {
	if c.securebits&secureNoSetuidFixup != 0 {
		return
	}
	wasRoot := was.real == 0 || was.effective == 0 || was.saved == 0
	isRoot := c.uid.real == 0 || c.uid.effective == 0 || c.uid.saved == 0
	if wasRoot && !isRoot {
		if c.securebits&secureKeepCaps == 0 {
			c.caps.permitted, c.caps.effective = 0, 0
		}
		c.caps.ambient = 0
	}
	switch {
	case was.effective == 0 && c.uid.effective != 0:
		c.caps.effective = 0
	case was.effective != 0 && c.uid.effective == 0:
		c.caps.effective = c.caps.permitted
	}
}

// fixFSCaps does so for the file system's user id alone.
func (c *cred) fixFSCaps(was uint32) {
	if c.securebits&secureNoSetuidFixup != 0 {
		return
	}
	switch {
	case was == 0 && c.uid.fs != 0:
		c.caps.effective &^= fsCaps()
	case was != 0 && c.uid.fs == 0:
		c.caps.effective |= fsCaps() & c.caps.permitted
	}
}

// setCaps is capset(2).
func (c cred) setCaps(permitted, effective, inheritable capSet) (cred, unix.Errno) {
	s := &c.caps
	switch {
	case !s.effective.has(unix.CAP_SETPCAP) && !inheritable.isIn(s.inheritable|s.permitted),
		!inheritable.isIn(s.inheritable | s.bounding),
		!permitted.isIn(s.permitted),
		!effective.isIn(permitted):
		return c, unix.EPERM
	}
	s.permitted, s.effective, s.inheritable = permitted, effective, inheritable
	s.ambient &= permitted & inheritable
	return c, 0
}

// A capProgram is what of a file that is executed bears on credentials.
type capProgram struct {
	setUID, setGID bool // its bits, where they count
	uid, gid       uint32

	hasCaps                bool // it has a security.capability that counts
	permitted, inheritable capSet
	effective              bool
}

// execute returns the credentials after execve(2) of a program.
func (c cred) execute(p capProgram) (cred, unix.Errno) {
	was := c
	if p.setUID {
		c.uid.effective = p.uid
	}
	if p.setGID {
		c.gid.effective = p.gid
	}
	s := &c.caps
	s.permitted = 0
	raise := false
	if p.hasCaps {
		raise = p.effective
		s.permitted = p.permitted&s.bounding | p.inheritable&s.inheritable
		if raise && !p.permitted.isIn(s.permitted) {
			return was, unix.EPERM // a program that knows nothing of capabilities and would lack some
		}
	}
	becomesRoot := c.uid.effective == 0 && c.uid.real != 0 // with capabilities of its own a set-uid program has only these
	if c.securebits&secureNoRoot == 0 && !(p.hasCaps && becomesRoot) {
		if c.uid.effective == 0 || c.uid.real == 0 {
			s.permitted = s.bounding | s.inheritable
		}
		raise = raise || c.uid.effective == 0
	}
	if p.hasCaps || c.uid.effective != was.uid.effective || !was.inGroup(c.gid.effective) { // as since Linux 6.16
		s.ambient = 0
	}
	s.permitted |= s.ambient
	s.effective = s.ambient
	if raise {
		s.effective = s.permitted
	}
	c.uid.saved, c.uid.fs = c.uid.effective, c.uid.effective
	c.gid.saved, c.gid.fs = c.gid.effective, c.gid.effective
	c.securebits &^= secureKeepCaps
	return c, 0
}
