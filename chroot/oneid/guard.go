package oneid

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Init has the same user on the machine as the processes of its node, and that is all that the kernel asks for where one process sets
// the limits of another. With too few files, or too little memory, init could not answer any more.

// set is a test for a pointer that is not null, as two alternatives: before holds in both.
func set(arg int, before ...test) [][]test {
	high := between(arg, 1, 0xffffffff)
	high.high = true
	return [][]test{append(before[:len(before):len(before)], between(arg, 1, 0xffffffff)), append(before[:len(before):len(before)], high)}
}

// guardCalls keep a script's hands off the limits of init, and off the one that stands for credentials: see creds.
func (m Mode) guardCalls() []call {
	limits := call{name: "prlimit64", nr: numbers{302, 340, 261, 369}, when: set(2, between(0, 1, 0xffffffff)), do: (*request).prlimit}
	if m.single() {
		limits.when = append(limits.when, set(2, is(1, 0xffffffff, unix.RLIMIT_LOCKS))...)
	}
	if m.plain { // nobody can look up whose a thread is
		limits.when, limits.do, limits.errno = set(2, is(0, 0xffffffff, 1)), nil, unix.EPERM
	}
	return []call{limits}
}

// prlimit is prlimit64(2) that sets a limit.
func (r *request) prlimit() answer {
	if r.w.o.Mode.single() && r.u32(1) == unix.RLIMIT_LOCKS {
		return succeed(0)
	}
	if same, err := r.sameProcesses(); err != nil || !same {
		return proceed() // init is out of sight there
	}
	tgid, err := statusOf(r.fd(0), "Tgid:", 10)
	switch {
	case errors.Is(err, unix.ENOENT):
		return proceed() // ESRCH
	case err != nil:
		return fail(err)
	case tgid == 1:
		return answer{errno: unix.EPERM}
	}
	return proceed()
}
