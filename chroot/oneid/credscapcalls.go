package oneid

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The versions of capset(2) and how many words of 32 bits their sets have.
func capWords(version uint32) int {
	switch version {
	case unix.LINUX_CAPABILITY_VERSION_1:
		return 1
	case unix.LINUX_CAPABILITY_VERSION_2, unix.LINUX_CAPABILITY_VERSION_3:
		return 2
	}
	return 0
}

// capHeader reads struct __user_cap_header_struct.
func (r *request) capHeader() (words int, pid int32, err error) {
	var h [8]byte
	if err := r.read(r.args[0], h[:]); err != nil {
		return 0, 0, err
	}
	return capWords(binary.LittleEndian.Uint32(h[:])), int32(binary.LittleEndian.Uint32(h[4:])), nil
}

// capget tells what was changed. All else, errors among it, is the kernel's to tell.
func (r *request) capget() answer {
	words, pid, err := r.capHeader()
	if err != nil || words == 0 || pid < 0 || r.args[1] == 0 {
		return proceed()
	}
	c, changed, err := r.creds()
	if pid != 0 && int(pid) != r.tid {
		c, changed, err = r.credsOf(int(pid))
	}
	if err != nil || !changed {
		return proceed()
	}
	if err := r.write(r.args[1], encodeCaps(c.caps, words)); err != nil {
		return failed(err)
	}
	return succeed(0)
}

// credsOf returns those of another process that the calling one names.
func (r *request) credsOf(pid int) (cred, bool, error) {
	same, err := r.sameProcesses()
	if err != nil || !same {
		return cred{}, false, err // it counts them in another way
	}
	return r.w.creds.of(pid)
}

// sameProcesses reports whether the process has the numbers of processes that this one has.
func (r *request) sameProcesses() (bool, error) {
	var theirs, ours unix.Stat_t
	if err := unix.Stat(r.proc("ns/pid"), &theirs); err != nil {
		return false, err
	}
	if err := unix.Stat("../ns/pid", &ours); err != nil {
		return false, err
	}
	return theirs.Ino == ours.Ino && theirs.Dev == ours.Dev, nil
}

// encodeCaps writes struct __user_cap_data_struct, once or twice.
func encodeCaps(s capSets, words int) []byte {
	var b []byte
	for i := range words {
		for _, set := range []capSet{s.effective, s.permitted, s.inheritable} {
			b = binary.LittleEndian.AppendUint32(b, uint32(set>>(32*i)))
		}
	}
	return b
}

// capset is done here alone: the process keeps its capabilities in the namespace, which it needs where real root would not.
func (r *request) capset() answer {
	words, pid, err := r.capHeader()
	if err != nil {
		return failed(err)
	}
	if words == 0 {
		return proceed() // says which versions there are
	}
	if pid != 0 && int(pid) != r.tid {
		if same, err := r.sameProcesses(); err != nil || same {
			return answer{errno: unix.EPERM}
		}
		return proceed() // so it is, or is no more, itself
	}
	data := make([]byte, 12*words)
	if err := r.read(r.args[1], data); err != nil {
		return failed(err)
	}
	var sets [3]capSet // effective, permitted, inheritable
	for i := range words {
		for j := range sets {
			sets[j] |= capSet(binary.LittleEndian.Uint32(data[12*i+4*j:])) << (32 * i)
		}
	}
	return r.change(func(c cred) (cred, int64, unix.Errno) {
		known := capSet(1)<<(unix.CAP_LAST_CAP+1) - 1
		next, errno := c.setCaps(sets[1]&known, sets[0]&known, sets[2]&known)
		return next, 0, errno
	})
}

func (r *request) prctl() answer {
	a := [5]uint64{uint64(r.u32(0)), r.args[1], r.args[2], r.args[3], r.args[4]}
	return r.change(func(c cred) (cred, int64, unix.Errno) {
		next, value, errno := c.prctl(a)
		return next, int64(value), errno
	})
}
