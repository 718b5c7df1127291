package oneid

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startCrew begins a crew whose workers only count.
func startCrew(t *testing.T) (*crew, *atomic.Int32) {
	t.Helper()
	c, started := &crew{}, &atomic.Int32{}
	if err := c.begin(func() error {
		started.Add(1)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	return c, started
}

// TestCrewHeldUp: while nobody waits and nobody gets on, there come more, and no more than are allowed; when somebody waits, none comes.
func TestCrewHeldUp(t *testing.T) {
	c, started := startCrew(t)
	if n := started.Load(); n != 1 {
		t.Fatalf("%d workers at the beginning", n)
	}
	c.watched.Store(true)
	c.wake <- struct{}{}
	for end := time.Now().Add(10 * time.Second); started.Load() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d workers while all are held up", started.Load())
		}
	}
	c.waiting.Add(1)
	time.Sleep(2 * patience) // one may be on its way
	n := started.Load()
	time.Sleep(3 * patience)
	if now := started.Load(); now != n {
		t.Errorf("%d workers became %d while one waits", n, now)
	}
}

// TestCrewBounds: the last worker stays, and there are never more than maxWorkers.
func TestCrewBounds(t *testing.T) {
	c, _ := startCrew(t)
	if c.fewer() {
		t.Error("the last worker went")
	}
	for range 2 * maxWorkers {
		if err := c.more(); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.workers.Load(); n != maxWorkers {
		t.Errorf("%d workers, %d are allowed", n, maxWorkers)
	}
	if !c.fewer() || c.workers.Load() != maxWorkers-1 {
		t.Error("none of many went")
	}
	c.start = func() error { return errors.New("no") }
	if c.more() == nil || c.workers.Load() != maxWorkers-1 {
		t.Errorf("one that did not start counts: %d", c.workers.Load())
	}
}

// TestAge: what was changed before the node began is known to be older.
func TestAge(t *testing.T) {
	now := time.Now()
	file := func(ago time.Duration) *unix.Stat_t {
		return &unix.Stat_t{Ctim: unix.NsecToTimespec(now.Add(-ago).UnixNano())}
	}
	a := age{begin: unix.NsecToTimespec(now.UnixNano()), at: now}
	if !a.before(file(time.Second)) {
		t.Error("a file of a second before is not older")
	}
	if a.before(file(0)) || a.before(file(-time.Second)) {
		t.Error("a file of the same time, or later, is older")
	}
}
