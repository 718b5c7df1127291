package tree

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// TestUnpackSpeed compares with GNU tar, side by side. The time on the processor says more than that on the
// clock where other things run.
func TestUnpackSpeed(t *testing.T) {
	if os.Getenv("XTOO_TEST_MEASURE") == "" {
		t.Skip("set XTOO_TEST_MEASURE=1 to measure")
	}
	testutil.Need(t, "tar")
	if os.Getenv(tierVar) == "" {
		t.Setenv("XTOO_TEST_STAGE", testutil.StageTar(t))
	}
	inTiers(t, func(t *testing.T, _ string) {
		path := os.Getenv("XTOO_TEST_STAGE")
		var ours, theirs []time.Duration
		for range 5 {
			dir := newDir(t, "ours")
			cpu, begin := cpuTime(t, unix.RUSAGE_SELF), time.Now()
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			res, err := Unpack(t.Context(), f, dir, UnpackOptions{})
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			a, acpu := time.Since(begin), cpuTime(t, unix.RUSAGE_SELF)-cpu
			begin = time.Now()
			if err := RemoveAll(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			removed := time.Since(begin)
			dir = newDir(t, "theirs")
			cpu, begin = cpuTime(t, unix.RUSAGE_CHILDREN), time.Now()
			// It cannot make devices and owners here, and says so.
			_ = exec.Command("tar", "-xpf", path, "--xattrs", "--xattrs-include=*", "--numeric-owner", "-C", dir).Run()
			b, bcpu := time.Since(begin), cpuTime(t, unix.RUSAGE_CHILDREN)-cpu
			t.Logf("unpack %v (processor %v), tar -x %v (%v); removed in %v; %d entries", a, acpu, b, bcpu, removed, res.Entries)
			if err := RemoveAll(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			ours, theirs = append(ours, acpu), append(theirs, bcpu)
		}
		a, b := slices.Min(ours), slices.Min(theirs)
		t.Logf("least processor time: unpack %v, tar -x %v: ratio %.2f", a, b, float64(a)/float64(b))
	})
}

func cpuTime(t *testing.T, who int) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
