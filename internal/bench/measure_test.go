package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"xtoo/internal/testutil"
)

func TestCommand(t *testing.T) {
	s, err := command(t.Context(), t.TempDir(), []string{"A=b"}, "sh", "-c", `test "$A" = b && sleep 0.05`)
	if err != nil || s.wall < 50*time.Millisecond || s.rss <= 0 || s.cpu > s.wall {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := command(t.Context(), "", nil, "sh", "-c", "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("the error does not say why: %v", err)
	}
}

// TestCPU: the time of a grandchild in a pid namespace counts, as the kernel itself counts it in a cgroup.
func TestCPU(t *testing.T) {
	testutil.NeedRoot(t)
	testutil.Need(t, "sh", "unshare")
	group := cgroup(t)
	const busy = `i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done`
	const script = `echo $$ > "$1/cgroup.procs"; unshare --pid --fork sh -c '(` + busy + `) & (` + busy + `) & wait'`
	s, err := command(t.Context(), "", nil, "sh", "-ec", script, "sh", group)
	if err != nil {
		t.Fatal(err)
	}
	want := usage(t, group)
	if diff := (s.cpu - want).Abs(); want < 50*time.Millisecond || diff > want/5 {
		t.Errorf("counted %v of CPU time, the cgroup %v", s.cpu, want)
	}
}

// cgroup makes a cgroup (version 2), which is removed at the end of the test.
func cgroup(t *testing.T) string {
	t.Helper()
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if !strings.Contains(lines.Text(), " - cgroup2 ") {
			continue
		}
		dir := filepath.Join(fields[4], "xtoo-bench-"+strconv.Itoa(os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			testutil.SkipOrFail(t, "no cgroup can be made: %v", err)
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		return dir
	}
	testutil.SkipOrFail(t, "no cgroup2 is mounted")
	return ""
}

// usage is the CPU time that a cgroup has used.
func usage(t *testing.T, group string) time.Duration {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(group, "cpu.stat"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(line, "usage_usec "); ok {
			us, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return time.Duration(us) * time.Microsecond
		}
	}
	t.Fatalf("no usage in %s", data)
	return 0
}
