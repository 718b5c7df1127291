package testutil

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"time"
)

// A Timer measures how long something takes, on a machine that may have other work: time for which tasks waited for a
// processor or for a disk does not count. So a limit is strict on a quiet machine, and no matter of luck on a busy one.
type Timer struct {
	begun   time.Time
	stalled time.Duration
	counted bool
}

// NewTimer begins to measure.
func NewTimer() Timer {
	stalled, counted := stalls()
	return Timer{time.Now(), stalled, counted}
}

// Within fails the test if more time has passed since [NewTimer] than limit. what says what took so long.
func (tm Timer) Within(t testing.TB, limit time.Duration, what string) {
	t.Helper()
	took := time.Since(tm.begun)
	stalled, counted := stalls()
	if stalled -= tm.stalled; !counted || !tm.counted {
		stalled = 10 * limit // how busy it was nobody knows
	}
	if took-stalled > limit {
		t.Errorf("%s took %v, the limit is %v (the machine was busy for %v)", what, took, limit, stalled)
	}
}

// stalls is for how long, since the machine was started, some task waited for a processor or for a disk; counted is
// false where the kernel does not count that.
func stalls() (sum time.Duration, counted bool) {
	for _, of := range []string{"cpu", "io"} {
		data, err := os.ReadFile("/proc/pressure/" + of)
		some, _, _ := bytes.Cut(data, []byte("\n"))
		_, total, found := bytes.Cut(some, []byte("total="))
		us, numErr := strconv.ParseInt(string(total), 10, 64)
		if err != nil || !found || numErr != nil {
			return 0, false
		}
		sum += time.Duration(us) * time.Microsecond
	}
	return sum, true
}
