package stage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"xtoo/internal/testutil"
)

// patience is how long a test waits for what comes at once, on a machine that may be busy.
const patience = 30 * time.Second

// begun starts test.wait and returns when it is at work.
func begun(t *testing.T, c *Client, ctx context.Context) *Process { //nolint:revive // the context is the case's
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	p, err := c.Start(ctx, Command{Stage: "test.wait", Files: []*os.File{w}})
	must(t, errors.Join(err, w.Close()))
	_, err = r.Read(make([]byte, 1))
	must(t, errors.Join(err, r.Close()))
	return p
}

// A function that crashes ends its server and everybody's calls in it, and the next call has another.
func TestServerCrash(t *testing.T) {
	c := client(t, probe(t))
	first := serverPid(t, c)
	for _, kind := range []string{"panic", "exit"} {
		others := []*Process{begun(t, c, t.Context()), begun(t, c, t.Context())}
		alone, err := c.Start(t.Context(), Command{Stage: "test.deafalone"})
		must(t, err)
		want := map[string]string{"panic": "panic: on purpose", "exit": "exit status 7"}[kind]
		for i, err := range []error{
			runStage(t, c, Command{Stage: "test.error", Args: kind}, nil), others[0].Wait(nil), others[1].Wait(nil), alone.Wait(nil),
		} {
			if !errors.Is(err, errDied) || !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s: call %d: %v", kind, i, err)
			}
		}
		if next := serverPid(t, c); next == first {
			t.Errorf("%s: the server lives", kind)
		}
	}
}

// A server that was killed while it was idle costs nobody an error.
func TestServerKilledIdle(t *testing.T) {
	c := client(t, probe(t))
	for range 5 {
		pid := serverPid(t, c)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		for end := time.Now().Add(patience); alive(pid) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if next := serverPid(t, c); next == pid {
			t.Error("the server lives")
		}
	}
}

// A function that does not end when it is told to holds up neither its caller nor the others, and its server is
// replaced: it ends with its last call.
func TestServerGivenUp(t *testing.T) {
	c := client(t, probe(t))
	pid := serverPid(t, c)
	ctx, stop := context.WithCancel(t.Context())
	other := begun(t, c, ctx)
	cancelled, cancel := context.WithCancel(t.Context())
	deaf, err := c.Start(cancelled, Command{Stage: "test.deaf"})
	must(t, err)
	cancel()
	start, timer := time.Now(), testutil.NewTimer()
	if err := deaf.Wait(nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the deaf one: %v", err)
	}
	if took := time.Since(start); took < cancelGrace/2 {
		t.Errorf("it took only %v", took)
	}
	timer.Within(t, cancelGrace+time.Second+slack, "giving up a function")
	if next := serverPid(t, c); next == pid {
		t.Error("the server gets new calls")
	}
	if !alive(pid) {
		t.Error("the server is gone, and another call with it")
	}
	stop()
	if err := other.Wait(nil); !errors.Is(err, context.Canceled) || errors.Is(err, errDied) {
		t.Errorf("the other one: %v", err)
	}
	for end := time.Now().Add(patience); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server outlives its last call")
		}
	}
}

// alive says whether a process is there, and no zombie. While the last of its threads end it shows as one already.
func alive(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	threads, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	return err == nil && (len(threads) > 1 || !strings.Contains(string(data), ") Z "))
}

// A thousand calls of each kind leave no file, no goroutine's socket and no child behind in the server.
func TestServerLeaks(t *testing.T) {
	c := client(t, probe(t))
	calls, alone := 1000, 20
	open := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", serverPid(t, c)))
		must(t, err)
		return len(entries)
	}
	one := func(name string) {
		r, w, err := os.Pipe()
		must(t, err)
		p, err := c.Start(t.Context(), Command{Stage: name, Files: []*os.File{r, w}})
		must(t, errors.Join(err, r.Close(), w.Close()))
		must(t, p.Wait(nil))
	}
	for range 20 { // warm
		one("test.state")
	}
	one("test.alone")
	pid, before := serverPid(t, c), open()
	for range calls {
		one("test.state")
	}
	for range alone {
		one("test.alone")
	}
	after := 0
	for range 1000 { // the last ones may still be closing
		if after = open(); after <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if after > before {
		t.Errorf("%d open files after %d calls, %d before", after, calls+alone, before)
	}
	if serverPid(t, c) != pid {
		t.Error("it is another server")
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err == nil && len(strings.Fields(string(children))) > 0 {
		t.Errorf("the server has children: %s", children)
	}
	if rss := residentMB(t, pid); rss > 150 {
		t.Errorf("the server holds %d MB", rss)
	}
}

func residentMB(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	must(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	must(t, err)
	return pages * os.Getpagesize() >> 20
}

func TestServerSideBySide(t *testing.T) {
	eachTier(t, func(t *testing.T, c *Client) {
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				want := map[string]string{"n": strconv.Itoa(i), "long": strings.Repeat("z", i<<10)}
				var got map[string]string
				p, err := c.Start(t.Context(), Command{Stage: "test.echo", Args: want})
				if err == nil {
					err = p.Wait(&got)
				}
				if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("call %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if len(c.all) != 1 {
			t.Errorf("%d servers", len(c.all))
		}
	})
}

// Cancelled at any instant, while the server starts or the call is on its way, a call ends with its context's error.
func TestServerCancelAnytime(t *testing.T) {
	h := probe(t)
	var deaf sync.WaitGroup // each is waited for until it is given up
	for i := range 15 {
		c := client(t, h)
		for _, name := range []string{"test.wait", "test.deafalone"} {
			what := fmt.Sprintf("%s cancelled after %d ms", name, 2*i)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*2*time.Millisecond)
			timer := testutil.NewTimer()
			p, err := c.Start(ctx, Command{Stage: name})
			deaf.Go(func() {
				defer cancel()
				if err == nil {
					err = p.Wait(nil)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", what, err)
				}
				timer.Within(t, 2*time.Second+slack, what)
			})
		}
	}
	deaf.Wait()
}

func TestClose(t *testing.T) {
	h := probe(t)
	NewClient(h).Close() // nothing was started
	c := NewClient(h)
	pid := serverPid(t, c)
	p := begun(t, c, t.Context())
	alone, err := c.Start(t.Context(), Command{Stage: "test.deafalone"})
	must(t, err)
	timer := testutil.NewTimer()
	c.Close()
	timer.Within(t, 2*time.Second+slack, "closing")
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the server is there: %v", err)
	}
	for _, one := range []*Process{p, alone} {
		if err := one.Wait(nil); err == nil {
			t.Error("a function ended well that was cut off")
		}
	}
	if _, err := c.Start(t.Context(), Command{Stage: "test.echo"}); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	c.Close()
}

// TestClientKilled: with the client go the server and whatever it has started, however deaf.
func TestClientKilled(t *testing.T) {
	probe(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{os.Args[0]}
	cmd.Env = append(os.Environ(), driverVar+"=1")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	server := 0
	if _, scanErr := fmt.Sscanf(line, "started %d", &server); err != nil || scanErr != nil {
		t.Fatalf("driver: %q, %v", line, errors.Join(err, scanErr))
	}
	family := descendants(t, server)
	if len(family) < 2 {
		t.Errorf("the server and its children are %v", family)
	}
	must(t, cmd.Process.Kill())
	if err := cmd.Wait(); err == nil {
		t.Error("the driver was not killed")
	}
	for _, pid := range family {
		for end := time.Now().Add(patience); alive(pid); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("process %d lives on", pid)
				break
			}
		}
	}
}

// descendants are a process and those below it.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	all := []int{pid}
	dirs, err := os.ReadDir("/proc")
	must(t, err)
	for _, d := range dirs {
		child, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		data, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue
		}
		fields := strings.Fields(string(data)[strings.LastIndexByte(string(data), ')')+1:])
		if fields[1] == strconv.Itoa(pid) {
			all = append(all, descendants(t, child)...)
		}
	}
	return all
}
