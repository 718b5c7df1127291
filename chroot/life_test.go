package chroot

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/stage"
	"xtoo/internal/testutil"
)

// marked lists the processes that have a word in their arguments.
func marked(t testing.TB, word string) []string {
	t.Helper()
	dirs, err := os.ReadDir("/proc")
	must(t, err)
	var found []string
	for _, d := range dirs {
		data, err := os.ReadFile("/proc/" + d.Name() + "/cmdline")
		if err == nil && d.Name() != fmt.Sprint(os.Getpid()) && bytes.Contains(data, []byte(word)) {
			found = append(found, d.Name()+" "+strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
	return found
}

// gone waits until no process is marked.
func gone(t testing.TB, word string, within time.Duration) {
	t.Helper()
	end := time.Now().Add(within)
	for {
		left := marked(t, word)
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("after %v there are still: %q", within, left)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// patience is how long a test waits for what comes at once, on a machine that may be busy.
const patience = 30 * time.Second

func marker(t testing.TB) string {
	return fmt.Sprintf("marker-%d-%d", os.Getpid(), time.Now().UnixNano())
}

// stubborn is a family that ignores what can be ignored.
func stubborn(mark string) []string {
	return []string{
		"ignore", ";", "marker", mark, ";",
		"daemon", "ignore", ",", "marker", mark, ",", "sleep", "1h", ";",
		"spawn", "ignore", ",", "marker", mark, ",", "sleep", "1h", ";",
		"print", "started", ";", "sleep", "1h",
	}
}

func TestNodeEndsEverything(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h)
		mark := marker(t)
		timer := testutil.NewTimer()
		// They hold the output open and outlive the process that the node waits for.
		out, exit := r.run("daemon", "ignore", ",", "marker", mark, ",", "sleep", "1h", ";", "spawn", "marker", mark, ",", "sleep", "1h", ";",
			"sleep", "100ms", ";", "print", "done", ";", "exit", "5")
		if exit.Code != 5 || out != "done\n" {
			t.Errorf("exit %+v, output %q", exit, out)
		}
		timer.Within(t, time.Second+slack, "a node with background processes")
		gone(t, mark, 0)
	})
}

func TestNodeReaps(t *testing.T) {
	r := newRoot(t, probed(t), ordinary()...)
	var verbs []string
	for range 20 {
		verbs = append(verbs, "wait", "daemon", "sleep", "1ms", ";") // its parent ends first: init inherits it
	}
	out, _ := r.run(append(verbs, "alone", patience.String(), ";", "zombies")...)
	if out != "zombies 0\n" {
		t.Errorf("output %q", out)
	}
}

func TestNodeSignals(t *testing.T) {
	r := newRoot(t, probed(t))
	out, exit := r.run("trap", "signal", "1", "1")
	if out != "ready\ngot hangup\n" || exit.Code != 0 {
		t.Errorf("a signal to init: %q, %+v", out, exit)
	}
	// Nobody inside kills init, whatever he is.
	out, exit = r.run("signal", "1", "9", ";", "sleep", "50ms", ";", "print", "lives")
	if out != "lives\n" || exit.Code != 0 {
		t.Errorf("SIGKILL to init: %q, %+v", out, exit)
	}
}

// TestInitIsImmune: no signal of a script's reaches init, nor do its limits, in any tier.
func TestInitIsImmune(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, ordinary()...)
		out, exit := r.run("barrage", ";", "sleep", "20ms", ";", "print", "lives")
		if out != "all sent\nlives\n" || exit.Code != 0 {
			t.Errorf("signals: %q, %+v", out, exit)
		}
		// Of files, of memory; its own and a child's are a script's to set.
		out, exit = r.run("prlimits", "1", strconv.Itoa(unix.RLIMIT_NOFILE), "3", ";", "prlimits", "1", strconv.Itoa(unix.RLIMIT_AS), "4096", ";", "prlimit", "0", "7", "100", ";",
			"limit", "7", ";", "wait", "print", "lives")
		if out != "tried true\ntried true\n100 100\nlives\n" || exit.Code != 0 {
			t.Errorf("limits: %q, %+v", out, exit)
		}
	})
}

func TestNodeCancel(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		for _, c := range []struct {
			name string
			args func(mark string) []string
			on   string
			most time.Duration
			says string
		}{
			{"willing", func(m string) []string { return []string{"marker", m, ";", "print", "started", ";", "sleep", "1h"} }, "started", 900 * time.Millisecond, ""},
			{"trap", func(m string) []string { return []string{"marker", m, ";", "trap"} }, "ready", 900 * time.Millisecond, "got terminated"},
			{"stubborn", stubborn, "started", 2 * time.Second, ""},
		} {
			r := newRoot(t, h)
			mark := marker(t)
			ctx, cancel := context.WithCancelCause(context.Background())
			why := errors.New("the reason")
			var out bytes.Buffer
			n := r.freshWork()
			n.Output = &triggered{w: &out, on: c.on, do: func() { time.AfterFunc(20*time.Millisecond, func() { cancel(why) }) }}
			n.Spec.Process.Args = append([]string{"/bin/guest"}, c.args(mark)...)
			start := make(chan testutil.Timer, 1)
			context.AfterFunc(ctx, func() { start <- testutil.NewTimer() })
			_, err := h.Run(ctx, n)
			(<-start).Within(t, c.most+slack, c.name)
			if !errors.Is(err, why) {
				t.Errorf("%s: %v", c.name, err)
			}
			contains(t, out.String(), c.says)
			gone(t, mark, 0)
			cancel(nil)
		}
	})
}

func TestNodeCancelledBefore(t *testing.T) {
	r := newRoot(t, probed(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.node.Spec.Process.Args = []string{"guest", "print"}
	if _, err := r.h.Run(ctx, r.node); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Cancelled at any instant, also while the root is being furnished, nothing stays.
func TestNodeCancelAnytime(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h)
	mark := marker(t)
	for i := range 25 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*time.Millisecond)
		n := r.freshWork()
		n.Spec.Process.Args = append([]string{"/bin/guest"}, stubborn(mark)...)
		n.gracePeriod = time.Millisecond
		timer := testutil.NewTimer()
		_, err := h.Run(ctx, n)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %d ms: %v", i, err)
		}
		timer.Within(t, 2*time.Second+slack, fmt.Sprintf("a node cancelled after %d ms", i))
	}
	gone(t, mark, 0)
}

// triggered does something once when a text was written.
type triggered struct {
	w    io.Writer
	on   string
	do   func()
	done bool
}

func (w *triggered) Write(b []byte) (int, error) {
	if !w.done && bytes.Contains(b, []byte(w.on)) {
		w.done = true
		w.do()
	}
	return w.w.Write(b)
}

func TestParentKilled(t *testing.T) {
	h := probed(t)
	for _, tier := range []string{string(h.Tier), "single"} {
		r := newRoot(t, h)
		mark := marker(t)
		args, err := json.Marshal(map[string]any{
			"Args": append([]string{"/bin/guest"}, stubborn(mark)...), "Lowers": r.node.Lowers, "Upper": r.node.Upper, "Work": r.node.Work,
		})
		must(t, err)
		deaf, err := json.Marshal(map[string]any{"Stage": "test.deaf"})
		must(t, err)
		for _, what := range [][]byte{args, deaf} {
			cmd := exec.Command("/proc/self/exe")
			cmd.Args = []string{os.Args[0]}
			cmd.Env = append(os.Environ(), driverVar+"="+string(what), "XTOO_TIER="+tier)
			out, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "started") {
				t.Fatalf("driver: %q, %v", line, err)
			}
			stagePid := 0
			if _, err := fmt.Sscanf(line, "started %d", &stagePid); err == nil {
				must(t, syscall.Kill(stagePid, 0))
			} else if n := len(marked(t, mark)); n < 2 {
				t.Errorf("only %d processes are marked", n)
			}
			must(t, cmd.Process.Kill())
			if err := cmd.Wait(); err == nil {
				t.Error("the driver was not killed")
			}
			gone(t, mark, patience)
			for end := time.Now().Add(patience); stagePid != 0 && syscall.Kill(stagePid, 0) == nil; time.Sleep(10 * time.Millisecond) {
				if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", stagePid)); err == nil && strings.Contains(string(state), ") Z ") {
					break // dead; whoever inherited it takes its time
				}
				if time.Now().After(end) {
					t.Errorf("the stage %d lives on", stagePid)
					break
				}
			}
		}
	}
}

func TestNoLeaks(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h, ordinary()...)
	mounts := func() string {
		data, err := os.ReadFile("/proc/self/mountinfo")
		must(t, err)
		var ours strings.Builder
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, r.dir) || strings.Contains(line, "volatile") {
				ours.WriteString(line) // others may mount what they like meanwhile
			}
		}
		return ours.String()
	}
	files := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(entries)
	}
	r.run("print") // warm: netpoll, the guest program
	beforeMounts, beforeFiles, beforeRoutines := mounts(), files(), runtime.NumGoroutine()
	for i := range 10 {
		r.run("print", "x")
		r.node.Spec.Process.Args = []string{"/missing"}
		if _, err := h.Run(context.Background(), r.freshWork()); err == nil {
			t.Error("no error")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*3*time.Millisecond)
		n := r.freshWork()
		n.Spec.Process.Args = []string{"guest", "sleep", "1h"}
		if _, err := h.Run(ctx, n); err == nil {
			t.Error("no error")
		}
		cancel()
		if err := runStage(t, h, stage.Command{Stage: "test.exit"}, nil); err == nil {
			t.Error("no error")
		}
	}
	for end := time.Now().Add(patience); runtime.NumGoroutine() > beforeRoutines && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > beforeRoutines {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, were %d:\n%s", n, beforeRoutines, buf[:runtime.Stack(buf, true)])
	}
	if n := files(); n > beforeFiles {
		t.Errorf("%d open files, were %d", n, beforeFiles)
	}
	if mounts() != beforeMounts {
		t.Errorf("mounts are left:\n%s", mounts())
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func TestNodesSideBySide(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h)
	errs := make(chan error)
	const nodes = 12
	for i := range nodes {
		go func() {
			dir := filepath.Join(r.dir, fmt.Sprint("node", i))
			err := errors.Join(os.MkdirAll(filepath.Join(dir, "upper"), 0o755), os.Mkdir(filepath.Join(dir, "work"), 0o755))
			var out bytes.Buffer
			if err == nil {
				_, err = h.Run(context.Background(), Node{
					Spec:   &specs.Spec{Process: &specs.Process{Args: []string{"/bin/guest", "print", fmt.Sprint(i), ";", "write", "/f", fmt.Sprint(i)}}},
					Lowers: r.node.Lowers, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work"), Output: &out,
				})
			}
			if err == nil && out.String() != fmt.Sprintln(i) {
				err = fmt.Errorf("node %d: %q", i, out.String())
			}
			errs <- err
		}()
	}
	for range nodes {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkNode(b *testing.B) {
	for _, h := range []*Host{probed(b), single(b)} {
		b.Run(string(h.Tier), func(b *testing.B) {
			r := newRoot(b, h, ordinary()...)
			for b.Loop() {
				r.run("exit", "0")
			}
		})
	}
}
