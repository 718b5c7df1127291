package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"xtoo/internal/testutil"
)

// A bench is a work directory and a store to run xtoo on, outside of testscript.
type bench struct {
	t     *testing.T
	work  string
	store string
	out   string
	mark  string // in the environment of every process that the test starts
}

func newBench(t *testing.T, config string) *bench {
	t.Helper()
	stage, err := demoStage("")
	if err != nil {
		t.Fatal(err)
	}
	return newWork(t, map[string]string{"top": strings.ReplaceAll(config, "$STAGE3", stage)})
}

// newWork is a bench with configurations by tag.
func newWork(t *testing.T, configs map[string]string) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, work: filepath.Join(dir, "work"), store: filepath.Join(dir, "store"), out: filepath.Join(dir, "out"),
		mark: "XTOO_TEST_MARK=" + strconv.FormatInt(rand.Int64(), 36)}
	for tag, config := range configs {
		project := filepath.Join(b.work, tag)
		if err := os.MkdirAll(project, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(project, ".xtoo-config.yaml"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { cleanStore(t, b.store) })
	return b
}

// command is xtoo with the bench's store.
func (b *bench) command(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = append([]string{"xtoo", "-C", b.work, "--store", b.store}, args...)
	cmd.Env = append(os.Environ(), b.mark)
	return cmd
}

func (b *bench) run(args ...string) string {
	b.t.Helper()
	out, err := b.command(context.Background(), args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("xtoo %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// index is the index of a layout: the digests of all that is in it.
func (b *bench) index(dir string) string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// processesWith lists the processes that have some text in their command line or environment.
func processesWith(text string) []int {
	var found []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		if err != nil || pid == os.Getpid() {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join(d, "cmdline")) // gone meanwhile: not found
		environ, _ := os.ReadFile(filepath.Join(d, "environ"))
		if bytes.Contains(cmdline, []byte(text)) || bytes.Contains(environ, []byte(text)) {
			found = append(found, pid)
		}
	}
	return found
}

// gone waits until no process has the text any more.
func gone(t *testing.T, text string) {
	t.Helper()
	const within = 30 * time.Second // it is at once, but the machine may be busy
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		left := processesWith(text)
		if len(left) == 0 {
			return
		}
		if time.Since(begun) > within {
			t.Fatalf("after %s these processes are still there: %v", within, left)
		}
	}
}

// noTrace checks that nothing is mounted on or below a directory, and that its tmp/ is empty.
func (b *bench) noTrace() {
	b.t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		b.t.Fatal(err)
	}
	if bytes.Contains(mounts, []byte(b.store)) {
		b.t.Errorf("something is mounted in the store:\n%s", mounts)
	}
	if left, err := os.ReadDir(filepath.Join(b.store, "tmp")); err != nil || len(left) > 0 {
		b.t.Errorf("tmp/ holds %v, %v", left, err)
	}
}

// TestInterrupt: Ctrl-C ends a script that ignores it, and what it left in the background, within two seconds.
func TestInterrupt(t *testing.T) {
	// With a handler here, the program starts with the default action, even where the tests were told to ignore them.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(handled)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			b := newBench(t, `
stage3: {file: $STAGE3}
scripts:
  - name: stubborn
    run: |
      trap '' INT TERM HUP
      sleep 4321 &
      echo started
      while true; do sleep 1; done
`)
			cmd := b.command(context.Background(), "build", "--oci-layout", b.out, "--sif", b.out+"-sif/")
			var stderr syncBuffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			stderr.waitFor(t, "top:stubborn | started", 60*time.Second)
			timer := testutil.NewTimer()
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			timer.Within(t, 2*time.Second, "ending")
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
				t.Errorf("ended with %v, want exit code %d", err, exitInterrupted)
			}
			if !strings.HasSuffix(strings.TrimSpace(stderr.String()), "xtoo: error: interrupted") {
				t.Errorf("it said:\n%s", stderr.String())
			}
			gone(t, b.mark)
			b.noTrace()
			if _, err := os.Stat(b.out); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("an output is there: %v", err)
			}
		})
	}
}

// stuck is a command that hears of the first Ctrl-C and does not end.
func stuck() {
	ctx, _ := untilSignal()
	fmt.Println("begun")
	<-ctx.Done()
	fmt.Println("told")
	time.Sleep(time.Minute)
}

// TestSecondInterrupt: where the first Ctrl-C takes its time, the second ends the program.
func TestSecondInterrupt(t *testing.T) {
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGINT)
	defer signal.Stop(handled)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = []string{"stuck"}
	var out syncBuffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.waitFor(t, "begun", 10*time.Second)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	out.waitFor(t, "told", 10*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for range 100 { // the handler may go a moment after the word
		_ = cmd.Process.Signal(syscall.SIGINT) // it has ended: found below
		select {
		case err := <-ended:
			if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGINT {
				t.Errorf("ended with %v, want the signal itself", err)
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	_ = cmd.Process.Kill()
	t.Error("it goes on after the second Ctrl-C")
}

// TestIgnoredSignals: started by nohup, xtoo goes on after a hang-up, and its scripts do not inherit what it ignores.
func TestIgnoredSignals(t *testing.T) {
	b := newBench(t, `
stage3: {file: $STAGE3}
scripts:
  - {name: slow, run: "echo started; sleep 1; echo done"}
  - {name: hangs-up, run: "kill -HUP $$; sleep 2; echo survived"}
`)
	cmd := b.command(context.Background(), "build")
	var stderr syncBuffer
	cmd.Stderr = &stderr
	signal.Ignore(syscall.SIGHUP)
	err := cmd.Start()
	signal.Reset(syscall.SIGHUP)
	if err != nil {
		t.Fatal(err)
	}
	stderr.waitFor(t, "| started", 60*time.Second)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitScript {
		t.Errorf("ended with %v, want exit code %d", err, exitScript)
	}
	for _, want := range []string{"top:slow | done", "killed by signal 1"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("it did not say %q but\n%s", want, stderr.String())
		}
	}
}

// TestKilled: a build that is killed at any instant leaves a store that the next build uses, and gets the same bytes from.
func TestKilled(t *testing.T) {
	config := `
stage3: {file: $STAGE3}
exclude: [/usr/src/*]
scripts:
  - name: all
    run: cat /a /b > /c
    scripts:
      - {name: a, run: "seq 20000 > /a; rm -rf /usr/share/*"}
      - {name: b, run: "seq 30000 > /b; ln /a /a2; mkdir -p /x/y/z; chmod 700 /etc"}
`
	reference := newBench(t, config)
	begun := time.Now()
	reference.run("build", "--oci-layout", reference.out, "--sif", reference.out+"-sif/")
	whole := time.Since(begun)
	want := reference.index(reference.out)
	wantSIF, err := os.ReadFile(reference.out + "-sif/top.sif")
	if err != nil {
		t.Fatal(err)
	}

	instants := 6
	if testutil.IsLong() {
		instants = 30
	}
	b := newBench(t, config)
	for i := range instants {
		if i%5 == 0 { // begin from nothing now and then, so that every part is hit
			b.run("clean", "--all")
		}
		cmd := b.command(context.Background(), "build", "--oci-layout", b.out, "--sif", b.out+"-sif/")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(whole))))
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed, or just finished: both are fine
		gone(t, b.mark)
	}
	b.run("build", "--oci-layout", b.out, "--sif", b.out+"-sif/", "--force")
	if got := b.index(b.out); got != want {
		t.Errorf("after %d kills the index is\n%s\nwant\n%s", instants, got, want)
	}
	if got, err := os.ReadFile(b.out + "-sif/top.sif"); err != nil || !bytes.Equal(got, wantSIF) {
		t.Errorf("after %d kills the SIF file differs: %v", instants, err)
	}
	b.noTrace()
}

// TestTwoBuilds: two builds of one tree on one store at once both end right, and every node is executed once.
func TestTwoBuilds(t *testing.T) {
	b := newBench(t, `
stage3: {file: $STAGE3}
scripts:
  - {name: a, run: "sleep 0.3; echo a > /a"}
  - {name: b, run: "sleep 0.3; echo b > /b"}
`)
	var wg sync.WaitGroup
	outs := make([]string, 3)
	for i := range outs {
		wg.Go(func() {
			out, err := b.command(context.Background(), "build", "--oci-layout", b.out).CombinedOutput()
			if err != nil {
				t.Errorf("build %d: %v\n%s", i, err, out)
			}
			outs[i] = string(out)
		})
	}
	wg.Wait()
	all := strings.Join(outs, "\n")
	for _, what := range []string{"top  reading ", "top:a  running", "top:b  running"} {
		if n := strings.Count(all, what); n != 1 {
			t.Errorf("%q happened %d times in\n%s", what, n, all)
		}
	}
	b.noTrace()
}

// syncBuffer is a buffer that one goroutine writes and another reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *syncBuffer) waitFor(t *testing.T, text string, within time.Duration) {
	t.Helper()
	for begun := time.Now(); !strings.Contains(s.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > within {
			t.Fatalf("%q does not come; what came is\n%s", text, s.String())
		}
	}
}
