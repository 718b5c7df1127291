package oneid

import "golang.org/x/sys/unix"

// prctl is what of prctl(2) is about credentials: it returns what they are then, and the call's result.
func (c cred) prctl(a [5]uint64) (cred, uint64, unix.Errno) {
	switch a[0] {
	case unix.PR_CAPBSET_READ:
		if !c.known(a[1]) {
			return c, 0, unix.EINVAL
		}
		return c, bit(c.caps.bounding.has(int(a[1]))), 0
	case unix.PR_CAPBSET_DROP:
		if !c.caps.effective.has(unix.CAP_SETPCAP) {
			return c, 0, unix.EPERM
		}
		if !c.known(a[1]) {
			return c, 0, unix.EINVAL
		}
		c.caps.bounding &^= 1 << a[1]
		return c, 0, 0
	case unix.PR_GET_SECUREBITS:
		return c, uint64(c.securebits), 0
	case unix.PR_SET_SECUREBITS:
		locked := c.securebits & secureLocks
		changed := c.securebits ^ uint32(a[1])
		if locked>>1&changed != 0 || locked&^uint32(a[1]) != 0 || a[1]&^(secureBits|secureLocks) != 0 || !c.caps.effective.has(unix.CAP_SETPCAP) {
			return c, 0, unix.EPERM
		}
		c.securebits = uint32(a[1])
		return c, 0, 0
	case unix.PR_GET_KEEPCAPS:
		return c, bit(c.securebits&secureKeepCaps != 0), 0
	case unix.PR_SET_KEEPCAPS:
		if a[1] > 1 {
			return c, 0, unix.EINVAL
		}
		if c.securebits&secureKeepCapsLocked != 0 {
			return c, 0, unix.EPERM
		}
		c.securebits &^= secureKeepCaps
		if a[1] == 1 {
			c.securebits |= secureKeepCaps
		}
		return c, 0, 0
	}
	return c.prctlAmbient(a)
}

// prctlAmbient is PR_CAP_AMBIENT.
func (c cred) prctlAmbient(a [5]uint64) (cred, uint64, unix.Errno) {
	s := &c.caps
	if a[1] == unix.PR_CAP_AMBIENT_CLEAR_ALL {
		if a[2]|a[3]|a[4] != 0 {
			return c, 0, unix.EINVAL
		}
		s.ambient = 0
		return c, 0, 0
	}
	if a[3]|a[4] != 0 || !c.known(a[2]) {
		return c, 0, unix.EINVAL
	}
	n := int(a[2])
	switch a[1] {
	case unix.PR_CAP_AMBIENT_IS_SET:
		return c, bit(s.ambient.has(n)), 0
	case unix.PR_CAP_AMBIENT_RAISE:
		if !s.permitted.has(n) || !s.inheritable.has(n) || c.securebits&secureNoAmbientRaise != 0 {
			return c, 0, unix.EPERM
		}
		s.ambient |= 1 << n
	case unix.PR_CAP_AMBIENT_LOWER:
		s.ambient &^= 1 << n
	default:
		return c, 0, unix.EINVAL
	}
	return c, 0, 0
}

// known reports whether a number is a capability's.
func (c cred) known(n uint64) bool { return n <= unix.CAP_LAST_CAP }

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
