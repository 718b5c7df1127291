package stage

import "golang.org/x/sys/unix"

// enoughFiles is the hard limit of open files that a process has on Linux where nobody has changed it.
const enoughFiles = 4096

// liftLimits takes the hard limits off a process, whose soft ones stay. Only the real root may: below its own namespace nobody
// could raise them again, and a function may need what the caller's shell was not given. Where it may not, they stay as well.
func liftLimits(pid int) {
	for _, kind := range []int{
		unix.RLIMIT_AS, unix.RLIMIT_CORE, unix.RLIMIT_CPU, unix.RLIMIT_DATA, unix.RLIMIT_FSIZE, unix.RLIMIT_LOCKS, unix.RLIMIT_MEMLOCK,
		unix.RLIMIT_MSGQUEUE, unix.RLIMIT_NOFILE, unix.RLIMIT_RSS, unix.RLIMIT_RTTIME, unix.RLIMIT_STACK,
	} {
		var is unix.Rlimit
		if unix.Prlimit(pid, kind, nil, &is) != nil {
			return
		}
		most := uint64(unix.RLIM_INFINITY)
		if kind == unix.RLIMIT_NOFILE {
			most = enoughFiles
		}
		if is.Max < most {
			is.Max = most
			_ = unix.Prlimit(pid, kind, &is, nil)
		}
	}
}
