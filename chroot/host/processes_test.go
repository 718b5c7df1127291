package host

import (
	"errors"
	"math"
	"syscall"
	"testing"
)

// TestTooFewProcesses: a control group, or one above it, that lets no process be started is named before anything is.
func TestTooFewProcesses(t *testing.T) {
	v2 := map[string]string{"/proc/self/cgroup": "0::/user.slice/run.scope\n", "/sys/fs/cgroup/user.slice/run.scope/pids.max": "max\n"}
	full := map[string]string{"/sys/fs/cgroup/user.slice/pids.max": "100\n", "/sys/fs/cgroup/user.slice/pids.current": "90\n"}
	v1 := map[string]string{
		"/proc/self/cgroup": "3:memory:/job\n2:pids:/job\n", "/sys/fs/cgroup/pids/job/pids.max": "7\n", "/sys/fs/cgroup/pids/job/pids.current": "9\n",
	}
	for name, c := range map[string]struct {
		files []map[string]string
		left  int64
		said  string
	}{
		"none":     {nil, math.MaxInt64, ""},
		"max":      {[]map[string]string{v2}, math.MaxInt64, ""},
		"above":    {[]map[string]string{v2, full}, 10, "/sys/fs/cgroup/user.slice may have 100"},
		"version1": {[]map[string]string{v1}, -2, "/sys/fs/cgroup/pids/job may have 7"},
	} {
		all := map[string]string{}
		for _, files := range c.files {
			for name, text := range files {
				all[name] = text
			}
		}
		f := fakeHost(t, all)
		if got := f.processesLeft(); got.left != c.left {
			t.Errorf("%s: %+v", name, got)
		}
		err := f.tooFew()
		if c.said == "" {
			must(t, err)
			continue
		}
		if !errors.Is(err, syscall.EAGAIN) {
			t.Fatalf("%s: %v", name, err)
		}
		contains(t, err.Error(), c.said)
		contains(t, Hint(err), "pids.max")
	}
	if n := (settings{}).ownThreads(); n < 1 {
		t.Errorf("%d threads of my own", n)
	}
}
