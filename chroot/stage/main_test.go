package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/chroot/host"
	"xtoo/internal/testutil"
)

// TestMain lets the test binary be a server and more, as main does.
func TestMain(m *testing.M) {
	registerTestStages()
	Main()
	if os.Getenv(driverVar) != "" {
		drive()
	}
	os.Exit(m.Run())
}

// driverVar makes the test binary a client to be killed by a test.
const driverVar = "XTOO_TEST_STAGE_DRIVER"

// drive keeps a server, a function in it and a process of its own at work, and says which processes they are.
func drive() {
	h, err := host.Probe()
	c := NewClient(h)
	var all []*Process
	for _, name := range []string{"test.deaf", "test.deafalone", "test.wait"} {
		p, startErr := c.Start(context.Background(), Command{Stage: name})
		all, err = append(all, p), errors.Join(err, startErr)
	}
	server, alone := 0, stageState{}
	for name, result := range map[string]any{"test.pid": &server, "test.alone": &alone} {
		p, startErr := c.Start(context.Background(), Command{Stage: name})
		if startErr == nil {
			startErr = p.Wait(result)
		}
		err = errors.Join(err, startErr)
	}
	if err != nil {
		fmt.Println("driver:", err)
		os.Exit(1)
	}
	fmt.Println("started", server)
	fmt.Println(all[0].Wait(nil))
}

var errOfTest = errors.New("an error of the test's own")

func registerTestStages() {
	Register("test.echo", func(_ context.Context, s *Stage) error {
		var v map[string]string
		if err := s.Args(&v); err != nil {
			return err
		}
		return s.Result(v)
	})
	Register("test.file", func(_ context.Context, s *Stage) error {
		data, err := io.ReadAll(s.File(0))
		if err != nil {
			return err
		}
		if s.File(2) != nil || s.File(1) == nil {
			return errors.New("there are two files")
		}
		_, err = s.File(1).Write(bytes.ToUpper(data))
		return err
	})
	state := func(_ context.Context, s *Stage) error { return s.Result(stateOfStage()) }
	Register("test.state", state)
	RegisterAlone("test.alone", state)
	Register("test.error", func(_ context.Context, s *Stage) error {
		var kind string
		if err := s.Args(&kind); err != nil {
			return err
		}
		if err := s.Result("beside"); err != nil {
			return err
		}
		switch kind {
		case "errno":
			return fmt.Errorf("write: %w", &fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC})
		case "missing":
			_, err := os.Open("/does/not/exist")
			return err
		case "joined":
			return errors.Join(errors.New("first"), fmt.Errorf("second: %w", syscall.EROFS), io.ErrUnexpectedEOF)
		case "own":
			return fmt.Errorf("wrapped: %w", errOfTest)
		case "hint":
			return fmt.Errorf("outer: %w", &host.Error{Err: host.ErrNoNamespaces, Hint: "do this"})
		case "panic":
			panic("on purpose")
		case "exit":
			os.Exit(7)
		case "threads": // as the Go runtime ends
			fmt.Fprintf(os.Stderr, "runtime: %s (have 3 already; errno=11)\nfatal error: newosproc\n\ngoroutine 7 [running]:\n", noThread)
			os.Exit(2)
		}
		return nil
	}, errOfTest)
	RegisterAlone("test.limit", func(_ context.Context, s *Stage) error {
		var kind string
		if err := s.Args(&kind); err != nil {
			return err
		}
		// Each user namespace has limits of its own, so that this is nobody else's.
		if err := os.WriteFile("/proc/sys/user/max_"+kind+"_namespaces", []byte("0"), 0); err != nil {
			return err
		}
		err := syscall.Unshare(syscall.CLONE_NEWUTS)
		if kind == "net" {
			err = syscall.Unshare(syscall.CLONE_NEWNET)
		}
		return host.ExplainStart(err, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNS|syscall.CLONE_NEWUTS|syscall.CLONE_NEWNET)
	})
	RegisterAlone("test.sealed", func(_ context.Context, s *Stage) error { return trySealed(s) })
	Register("test.log", func(_ context.Context, s *Stage) error {
		s.Log.Debug("not wanted")
		s.Log.Info("unpacking", "layer", 3, "name", "x y")
		s.Log.With("a", 1).WithGroup("g").Warn("careful", "b", true)
		return nil
	})
	Register("test.chown", func(_ context.Context, s *Stage) error {
		var a struct {
			Path string
			ID   int
		}
		if err := s.Args(&a); err != nil {
			return err
		}
		if err := os.WriteFile(a.Path, nil, 0o644); err != nil {
			return err
		}
		return os.Lchown(a.Path, a.ID, a.ID)
	})
	Register("test.pid", func(_ context.Context, s *Stage) error { return s.Result(os.Getpid()) })
	RegisterAlone("test.deafalone", func(context.Context, *Stage) error { select {} })
	Register("test.wait", func(ctx context.Context, s *Stage) error {
		if f := s.File(0); f != nil { // says that it has begun
			if _, err := f.WriteString("x"); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	})
	Register("test.polite", func(ctx context.Context, s *Stage) error {
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond)
		var file string
		if err := s.Args(&file); err != nil {
			return err
		}
		return errors.Join(ctx.Err(), os.WriteFile(file, []byte("cleaned up"), 0o644))
	})
	Register("test.deaf", func(context.Context, *Stage) error {
		for {
			time.Sleep(time.Hour)
		}
	})
}

type stageState struct {
	Pid      int
	Maps     []specs.LinuxIDMapping // of user ids
	UID, GID int
	Groups   []int
	Env      map[string]string
	Dir      string
	Args     []string
	CapEff   string
	Open     []int
	Block    string // /proc/self/environ
	Session  bool
}

func stateOfStage() stageState {
	st := stageState{Pid: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(), Env: map[string]string{}, Args: os.Args}
	st.Groups, _ = os.Getgroups()
	maps, _ := os.ReadFile("/proc/self/uid_map")
	for line := range strings.Lines(string(maps)) {
		var m specs.LinuxIDMapping
		_, _ = fmt.Sscan(line, &m.ContainerID, &m.HostID, &m.Size)
		st.Maps = append(st.Maps, m)
	}
	st.Dir, _ = os.Getwd()
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		st.Env[k] = v
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "CapEff:"); ok {
			st.CapEff = strings.TrimSpace(v)
		}
	}
	for fd := 0; fd < 64; fd++ {
		if _, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); e == 0 {
			st.Open = append(st.Open, fd)
		}
	}
	block, _ := os.ReadFile("/proc/self/environ")
	st.Block = string(block)
	sid, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
	st.Session = int(sid) == os.Getpid()
	return st
}

// probe ends the test where the machine does not let anything be started.
func probe(t testing.TB) *host.Host {
	t.Helper()
	h, err := host.Probe()
	if err != nil {
		testutil.SkipOrFail(t, "no user namespaces here: %v (%s)", err, host.Hint(err))
	}
	return h
}

// single is the single tier, whoever runs the test.
func single(t testing.TB) *host.Host {
	t.Helper()
	t.Setenv("XTOO_TIER", string(host.TierSingle))
	return probe(t)
}

// client is closed at the end of the test.
func client(t testing.TB, h *host.Host) *Client {
	t.Helper()
	c := NewClient(h)
	t.Cleanup(c.Close)
	return c
}

// eachTier runs a test in the user's own tier, and in the single one too.
func eachTier(t *testing.T, test func(t *testing.T, c *Client)) {
	t.Helper()
	own := probe(t)
	t.Run(string(own.Tier), func(t *testing.T) { test(t, client(t, own)) })
	if own.Tier != host.TierSingle {
		t.Run("single", func(t *testing.T) { test(t, client(t, single(t))) })
	}
}

func runStage(t testing.TB, c *Client, command Command, result any) error {
	t.Helper()
	p, err := c.Start(context.Background(), command)
	if err != nil {
		t.Fatalf("start: %v (hint: %s)", err, host.Hint(err))
	}
	return p.Wait(result)
}

// serverPid is the process id of the server.
func serverPid(t testing.TB, c *Client) int {
	t.Helper()
	pid := 0
	must(t, runStage(t, c, Command{Stage: "test.pid"}, &pid))
	return pid
}

var (
	must     = testutil.Must
	contains = testutil.Contains
)
