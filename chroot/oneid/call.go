package oneid

import (
	"slices"

	"golang.org/x/sys/unix"
)

// A call is a system call that the kernel does not answer alone.
type call struct {
	name string
	nr   numbers

	// when says for which arguments: one of the lists holds, and in it all tests. Without any: always. All other arguments
	// never leave the kernel.
	when [][]test

	// do answers. nil: the filter alone does, with errno (0 means success).
	do    func(r *request) answer
	errno unix.Errno
}

// A test looks at the low 32 bits of an argument, or the high ones: min <= argument & mask <= max.
type test struct {
	arg            int
	mask, min, max uint32
	high           bool
}

// is tests for one value.
func is(arg int, mask, value uint32) test { return test{arg: arg, mask: mask, min: value, max: value} }

// between tests for a range.
func between(arg int, first, last uint32) test {
	return test{arg: arg, mask: 0xffffffff, min: first, max: last}
}

// An answer is what a process gets.
type answer struct {
	value   int64
	errno   unix.Errno
	proceed bool // the kernel executes the call
	sent    bool // it has been sent, with a file
}

// proceed has the kernel execute the call, with the rights that the process has.
func proceed() answer { return answer{proceed: true} }

// fail is an error. One that is no errno is EIO.
func fail(err error) answer { return answer{errno: errnoOf(err)} }

// succeed is a result.
func succeed(value int64) answer { return answer{value: value} }

// calls is the table of a mode. A number stands in it once.
func (m Mode) calls() []call {
	if m.plain {
		all := m.guardCalls()
		if m.single() {
			all = slices.Concat(all, refusedCalls(), plainCalls())
		}
		return all
	}
	all := slices.Concat(refusedCalls(), m.guardCalls(), m.ownerCalls(), m.nodeCalls(), m.xattrCalls(), m.statCalls())
	switch {
	case m.steady():
		all = slices.Concat(all, m.setCredCalls(), m.capCalls(), m.execCalls(), m.setgidCalls(), worldCalls())
	case m.single():
		all = slices.Concat(all, m.credCalls(), m.capCalls(), m.execCalls(), m.createCalls(), m.accessCalls(), m.settleCalls(), worldCalls())
	}
	return all
}

// refusedCalls are those by which a process could get around the filter.
func refusedCalls() []call {
	return []call{
		{name: "io_uring_setup", nr: everywhere(425), errno: unix.ENOSYS},
		{name: "io_uring_enter", nr: everywhere(426), errno: unix.ENOSYS},
		{name: "io_uring_register", nr: everywhere(427), errno: unix.ENOSYS},
	}
}

// A Mode says which calls are answered.
type Mode struct {
	// UIDs and GIDs are the ids that the kernel knows, in ascending order.
	UIDs, GIDs []Range

	// ReadBack has owners and devices that only records tell read back with a range of ids, too; with one id they always are.
	ReadBack bool

	// Steady leaves to the kernel what it answers rightly as long as all processes are user 0 with all capabilities, and no directory
	// passes on what only a record tells: see unsteady. It means nothing with a range of ids.
	Steady bool

	plain bool // nobody can be notified: the filter answers success to what cannot be recorded
}

// A Range is some ids, as the process sees them.
type Range struct{ First, Last uint32 }

// Exact says that a process cannot tell the ids that it has from all that there are: owners are recorded and read back, and so
// are the ids of processes.
func (m Mode) Exact() bool { return m.single() }

// readsBack says that stat(2) and its like are answered.
func (m Mode) readsBack() bool { return m.ReadBack || m.single() }

// steady says that Steady counts.
func (m Mode) steady() bool { return m.Steady && m.single() }

// single says that there is but one id, so that everything about owners is a record.
func (m Mode) single() bool { return len(m.UIDs) == 1 && m.UIDs[0] == Range{} }
