package oneid

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// What the supervisor does it does with its own rights. So where the kernel asks for a capability, it has to ask for it: with one id
// among the credentials that the process believes in, else the kernel.

// holds reports whether the calling process has a capability in its effective set.
func (r *request) holds(capability int) (bool, error) {
	if r.w.o.Mode.single() {
		c, _, err := r.creds()
		return c.caps.effective.has(capability), err
	}
	data, err := readAll(r.proc("status"))
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(data) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			return capSet(set).has(capability), err
		}
	}
	return false, unix.ESRCH
}

// mayGive returns EPERM where the process may not give a file to these ids (chown(2)).
func (f *file) mayGive(uid, gid uint32) error {
	may, err := f.r.holds(unix.CAP_CHOWN)
	if err != nil || may {
		return err
	}
	if !f.r.w.o.Mode.single() {
		return unix.EPERM // the kernel does not know them, so they are not the process's
	}
	c, _, err := f.r.creds()
	if err != nil {
		return err
	}
	is, err := f.r.look(f.fd)
	if err != nil {
		return err
	}
	own := c.uid.fs == is.uid
	if uid != keepID && !(own && uid == is.uid) || gid != keepID && !(own && (gid == is.gid || c.inGroup(gid))) {
		return unix.EPERM
	}
	return nil
}

// mayMark returns EPERM where the process may not set or remove an attribute of that name (xattr(7)).
func (f *file) mayMark(name string) error {
	needed := unix.CAP_SYS_ADMIN
	switch {
	case name == layers.XattrCapability:
		needed = unix.CAP_SETFCAP
	case isACL(name):
		needed = unix.CAP_FOWNER
	}
	may, err := f.r.holds(needed)
	if err != nil || may {
		return err
	}
	if isACL(name) {
		if !f.r.w.o.Mode.single() {
			return errProceed // the kernel knows both
		}
		c, _, err := f.r.creds()
		if err != nil {
			return err
		}
		if is, err := f.r.look(f.fd); err != nil || is.uid == c.uid.fs {
			return err
		}
	}
	return unix.EPERM
}
