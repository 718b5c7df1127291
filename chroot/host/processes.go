package host

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// fewProcesses is how many processes and threads one small node takes, xtoo's own among them.
const fewProcesses = 24

// A processLimit is a limit of processes and threads.
type processLimit struct {
	left int64
	what string
	hint string
}

// processesLeft finds the limit that is reached first: that of this user, or of a control group of this process. What cannot be read
// limits nothing.
func (f settings) processesLeft() processLimit {
	least := processLimit{left: math.MaxInt64}
	var own unix.Rlimit
	if os.Geteuid() != 0 && unix.Getrlimit(unix.RLIMIT_NPROC, &own) == nil && own.Cur < manyProcesses {
		least = processLimit{
			left: int64(own.Cur) - f.ownThreads(),
			what: fmt.Sprintf("this user may have %d processes and threads", own.Cur),
			hint: "raise the limit (`ulimit -u`, nproc in /etc/security/limits.conf), or end some",
		}
	}
	for _, dir := range f.processGroups() {
		most, err := strconv.ParseInt(f.value(filepath.Join(dir, "pids.max")), 10, 64)
		if err != nil { // "max", or no such file
			continue
		}
		now, err := strconv.ParseInt(f.value(filepath.Join(dir, "pids.current")), 10, 64)
		if err == nil && most-now < least.left {
			least = processLimit{
				left: most - now,
				what: fmt.Sprintf("the control group %s may have %d processes and threads", dir, most),
				hint: "raise its pids.max (TasksMax= of a systemd unit or user slice, `--pids-limit` of a container, the job's limit of a batch system), or end some",
			}
		}
	}
	return least
}

// manyProcesses is a limit of a user's processes that nobody comes near to: they are not counted then.
const manyProcesses = 1024

// ownThreads counts the threads of this user's processes.
func (f settings) ownThreads() (n int64) {
	all, err := os.ReadDir(f.path("/proc"))
	if err != nil {
		return 0
	}
	for _, e := range all {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != uint32(os.Geteuid()) {
			continue
		}
		threads, err := os.ReadDir(f.path("/proc/" + e.Name() + "/task"))
		if err == nil {
			n += int64(len(threads))
		}
	}
	return n
}

// processGroups are the directories of the control groups that this process counts in, of either version, upwards.
func (f settings) processGroups() []string {
	var dirs []string
	for line := range strings.Lines(f.value("/proc/self/cgroup")) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") || strings.Contains(parts[2], "..") {
			continue
		}
		root := "/sys/fs/cgroup/pids"
		if parts[0] == "0" && parts[1] == "" {
			root = "/sys/fs/cgroup"
		} else if parts[1] != "pids" {
			continue
		}
		for at := filepath.Join(root, parts[2]); strings.HasPrefix(at, root); at = filepath.Dir(at) {
			dirs = append(dirs, at)
		}
	}
	return dirs
}

// tooFew returns the error for a host where not even a small node could be executed. Without it, the runtime of Go would
// end this program in the midst of something, with a trace.
func (f settings) tooFew() error {
	l := f.processesLeft()
	if l.left >= fewProcesses {
		return nil
	}
	return &Error{
		Err:  fmt.Errorf("%s, of which %d are left: %d or more are needed: %w", l.what, max(l.left, 0), fewProcesses, syscall.EAGAIN),
		Hint: l.hint,
	}
}
