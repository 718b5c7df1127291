package oneid

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A crew are the workers. The kernel wakes all of those that wait for a call, and each that finds nothing has cost two changes of
// context: so one waits, as a rule. There are more of them where calls come faster than one answers, and where one is held up by a file
// that is slow, as on a file system of the script's own.
type crew struct {
	start   func() error // one more
	workers atomic.Int32
	waiting atomic.Int32
	served  atomic.Uint64 // calls received
	watched atomic.Bool
	wake    chan struct{} // begins the watch
	over    chan struct{} // closed at the end
}

const (
	// maxWorkers bounds how many calls are worked on at a time.
	maxWorkers = 64
	// patience is how long all workers may be at work before there is one more.
	patience = 20 * time.Millisecond
	// attentive is how long a worker waits at most, in milliseconds, without leaving its processor to the rest of the program: the
	// scheduler needs longer to give it back than a call takes. It takes it away after some ten, by a signal; a shorter
	// time would have the kernel set a clock at each call.
	attentive = 100
	// garbage is how much more memory than it uses this program may have before it collects: 32 MB, as it uses next to nothing. Each call
	// leaves some, and calls wait while it is collected.
	garbage = 800
	// drowsy is for how many times patience nobody has called when the crew is not watched any more.
	drowsy = 10
	// sampled is every how many calls a worker looks whether there is one more beside that which it has received.
	sampled = 16
	// crowd is how many times more there was one than there was none when there is to be one more worker; and the other way round,
	// when one may go.
	crowd = 8
)

// begin starts the first worker.
func (c *crew) begin(start func() error) error {
	c.start, c.wake, c.over = start, make(chan struct{}, 1), make(chan struct{})
	// A worker that waits attentively holds one of the scheduler's processors.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	debug.SetGCPercent(garbage)
	go c.watch()
	return c.more()
}

// end lets the watch go. Workers end when nobody is left who could call.
func (c *crew) end() { close(c.over) }

// more starts a worker, if there may be one more.
func (c *crew) more() error {
	if c.workers.Add(1) > maxWorkers {
		c.workers.Add(-1)
		return nil
	}
	err := c.start()
	if err != nil {
		c.workers.Add(-1)
	}
	return err
}

// A pace tells how fast calls come to one worker.
type pace struct {
	calls   int
	crowded int // how many samples more had one call more than had none
}

// receive waits for a call. last: this worker has left the crew, since others wait, or since nobody is left who could call.
func (c *crew) receive(l listener, n *notification, p *pace) (last bool) {
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	if p.crowded < -crowd {
		p.crowded = 0
		if c.waiting.Load() > 1 && c.fewer() {
			return true
		}
	}
	for {
		l.soon(attentive)
		errno := l.receive(n)
		if !c.watched.Load() && c.watched.CompareAndSwap(false, true) {
			c.wake <- struct{}{} // it has room: the watch has taken the last one
		}
		c.served.Add(1)
		switch {
		case errno == unix.ENOENT && !l.hungUp(): // killed meanwhile
			continue
		case errno != 0:
			c.workers.Add(-1)
			return true
		}
		if p.calls++; p.calls%sampled == 0 {
			c.sample(l, p)
		}
		return false
	}
}

// sample looks whether another call waits, and starts a worker where one does again and again.
func (c *crew) sample(l listener, p *pace) {
	if !l.soon(0) {
		p.crowded--
		return
	}
	if p.crowded++; p.crowded > crowd {
		p.crowded = 0
		if int(c.workers.Load()) < runtime.NumCPU() {
			go func() { _ = c.more() }() // the call received comes first
		}
	}
}

// fewer takes a worker off, if it is not the last.
func (c *crew) fewer() bool {
	for {
		n := c.workers.Load()
		if n < 2 {
			return false
		}
		if c.workers.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// watch sees that somebody waits: where all workers are at work for longer than patience, there is one more. It sleeps while nobody
// calls.
func (c *crew) watch() {
	for {
		select {
		case <-c.wake:
		case <-c.over:
			return
		}
		idle := 0
		for before := c.served.Load(); idle < drowsy; {
			time.Sleep(patience)
			now := c.served.Load()
			switch {
			case now != before:
				idle = 0
			case c.waiting.Load() == 0:
				_ = c.more()
			default:
				idle++
			}
			before = now
		}
		c.watched.Store(false)
	}
}
