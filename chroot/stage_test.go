package chroot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var errOfTest = errors.New("an error of the test's own")

func registerTestStages() {
	Register("test.remove", func(_ context.Context, s *Stage) error {
		var dir string
		if err := s.Args(&dir); err != nil {
			return err
		}
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
		return err
	})
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
		if s.File(2) != nil || len(s.Files()) != 2 {
			return errors.New("there are two files")
		}
		_, err = s.File(1).Write(bytes.ToUpper(data))
		return err
	})
	Register("test.emulate", emulateAsHost)
	Register("test.state", func(_ context.Context, s *Stage) error { return s.Result(stateOfStage()) })
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
			return fmt.Errorf("outer: %w", &HostError{Err: ErrNoOverlay, Hint: "do this"})
		case "panic":
			panic("on purpose")
		case "exit":
			os.Exit(7)
		}
		return nil
	}, errOfTest)
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
	Register("test.polite", func(ctx context.Context, s *Stage) error {
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond)
		var file string
		if err := s.Args(&file); err != nil {
			return err
		}
		return errors.Join(ctx.Err(), os.WriteFile(file, []byte("cleaned up"), 0o644))
	})
	Register("test.noxattrs", func(_ context.Context, s *Stage) error {
		var dir string
		if err := s.Args(&dir); err != nil {
			return err
		}
		if err := syscall.Mount("mqueue", dir, "mqueue", 0, ""); err != nil {
			return err
		}
		return checkUserXattrs(dir)
	})
	Register("test.untar", untar)
	Register("test.deaf", func(context.Context, *Stage) error {
		for {
			time.Sleep(time.Hour)
		}
	})
}

type stageState struct {
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
	st := stageState{UID: os.Getuid(), GID: os.Getgid(), Env: map[string]string{}, Args: os.Args}
	st.Groups, _ = os.Getgroups()
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

func runStage(t testing.TB, h *Host, c Command, result any) error {
	t.Helper()
	p, err := h.Start(context.Background(), c)
	if err != nil {
		t.Fatalf("start: %v (hint: %s)", err, Hint(err))
	}
	return p.Wait(result)
}

func TestStageArgumentsAndResult(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		want := map[string]string{"a": "ä\n\x00", "long": strings.Repeat("y", 3<<20)}
		var got map[string]string
		must(t, runStage(t, h, Command{Stage: "test.echo", Args: want}, &got))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Error("the result is not the arguments")
		}
	})
}

func TestStageFiles(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		inR, inW, err := os.Pipe()
		must(t, err)
		outR, outW, err := os.Pipe()
		must(t, err)
		p, err := h.Start(context.Background(), Command{Stage: "test.file", Files: []*os.File{inR, outW}})
		must(t, err)
		must(t, errors.Join(inR.Close(), outW.Close()))
		_, err = inW.WriteString("hello")
		must(t, errors.Join(err, inW.Close()))
		got, err := io.ReadAll(outR)
		must(t, errors.Join(err, outR.Close()))
		must(t, p.Wait(nil))
		if string(got) != "HELLO" {
			t.Errorf("got %q", got)
		}
	})
}

func TestStageState(t *testing.T) {
	t.Setenv("XTOO_TEST_SECRET", "in the environment")
	// A file that whoever started us left open, as shells do.
	left, err := os.Open("/")
	must(t, err)
	defer left.Close()
	if _, _, e := syscall.Syscall(syscall.SYS_FCNTL, left.Fd(), syscall.F_SETFD, 0); e != 0 {
		t.Fatal(e)
	}
	eachTier(t, func(t *testing.T, h *Host) {
		var st stageState
		must(t, runStage(t, h, Command{Stage: "test.state", Dir: "/usr"}, &st))
		if st.UID != 0 || st.GID != 0 {
			t.Errorf("ids %d:%d", st.UID, st.GID)
		}
		if h.Tier == TierMapped && len(st.Groups) > 0 {
			t.Errorf("groups %v", st.Groups)
		}
		if st.Dir != "/usr" {
			t.Errorf("directory %s", st.Dir)
		}
		if st.Env["XTOO_TEST_SECRET"] != "in the environment" || st.Env[stageVar] != "" {
			t.Errorf("environment %v", st.Env)
		}
		if strings.Contains(st.Block, "XTOO_TEST_SECRET") {
			t.Error("the environment is in the environment block, for everybody to read")
		}
		if len(st.Args) != 1 || st.Args[0] != os.Args[0] {
			t.Errorf("arguments %q", st.Args)
		}
		caps, err := strconv.ParseUint(st.CapEff, 16, 64)
		if err != nil || caps&(1<<21) == 0 {
			t.Errorf("capabilities %s", st.CapEff)
		}
		if !st.Session {
			t.Error("the stage is in the session of its parent")
		}
		for _, fd := range st.Open {
			if fd == int(left.Fd()) {
				t.Errorf("the inherited file %d is open", fd)
			}
		}
	})
}

func TestStageErrors(t *testing.T) {
	cases := []struct {
		kind string
		is   []error
		not  error
		text string
		hint string
	}{
		{kind: "errno", is: []error{syscall.ENOSPC}, not: syscall.EROFS, text: "write: write /x: no space left on device"},
		{kind: "missing", is: []error{fs.ErrNotExist, syscall.ENOENT}, not: fs.ErrExist, text: "open /does/not/exist"},
		{kind: "joined", is: []error{syscall.EROFS, io.ErrUnexpectedEOF}, not: syscall.ENOENT, text: "second"},
		{kind: "own", is: []error{errOfTest}, not: ErrNoOverlay, text: "wrapped: an error"},
		{kind: "hint", is: []error{ErrNoOverlay}, not: errOfTest, text: "outer: overlayfs", hint: "do this"},
		{kind: "panic", is: []error{ErrStageDied}, not: errOfTest, text: "panic: on purpose"},
		{kind: "exit", is: []error{ErrStageDied}, not: errOfTest, text: "exit status 7"},
	}
	eachTier(t, func(t *testing.T, h *Host) {
		for _, c := range cases {
			var beside string
			err := runStage(t, h, Command{Stage: "test.error", Args: c.kind}, &beside)
			if err == nil {
				t.Errorf("%s: no error", c.kind)
				continue
			}
			for _, is := range c.is {
				if !errors.Is(err, is) {
					t.Errorf("%s: %v is not %v", c.kind, err, is)
				}
			}
			if errors.Is(err, c.not) {
				t.Errorf("%s: %v is %v", c.kind, err, c.not)
			}
			contains(t, err.Error(), c.text)
			if Hint(err) != c.hint {
				t.Errorf("%s: hint %q", c.kind, Hint(err))
			}
			if c.kind == "errno" && beside != "beside" {
				t.Errorf("the result beside an error is %q", beside)
			}
		}
	})
}

func TestStageUnknown(t *testing.T) {
	if _, err := host(t).Start(context.Background(), Command{Stage: "nobody"}); err == nil {
		t.Error("a stage that is not registered was started")
	}
	if _, err := host(t).Start(context.Background(), Command{Stage: "test.echo", Args: func() {}}); err == nil {
		t.Error("arguments that are no JSON were sent")
	}
}

func TestStageLog(t *testing.T) {
	h := host(t)
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	must(t, runStage(t, h, Command{Stage: "test.log", Log: log}, nil))
	contains(t, out.String(), `level=INFO msg=unpacking layer=3 name="x y"`, "level=WARN msg=careful")
	if strings.Contains(out.String(), "not wanted") {
		t.Error("a record below the level came over")
	}
}

func TestStageChown(t *testing.T) {
	h := host(t)
	dir := tempDir(t, h)
	chown := func(h *Host, id int) error {
		return runStage(t, h, Command{Stage: "test.chown", Args: map[string]any{"Path": filepath.Join(dir, fmt.Sprint(h.Tier, id)), "ID": id}}, nil)
	}
	if h.Tier == TierMapped {
		for _, id := range []int{0, 1, 250, 1000, 65534, 65535, 65536} {
			if err := chown(h, id); err != nil {
				t.Errorf("chown to %d: %v", id, err)
			}
		}
	}
	if err := chown(single(t), 250); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("chown to 250 with one id: %v", err)
	}
	must(t, chown(single(t), 0))
}

func TestStageCancel(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		file := filepath.Join(tempDir(t, h), "file")
		for _, c := range []struct {
			stage string
			most  time.Duration
		}{{"test.polite", time.Second}, {"test.deaf", 2 * time.Second}} {
			ctx, cancel := context.WithCancelCause(context.Background())
			p, err := h.Start(ctx, Command{Stage: c.stage, Args: file})
			must(t, err)
			time.Sleep(50 * time.Millisecond)
			start, why := time.Now(), errors.New("the reason")
			cancel(why)
			err = p.Wait(nil)
			if took := time.Since(start); took > c.most+slack {
				t.Errorf("%s: took %v", c.stage, took)
			}
			if !errors.Is(err, why) {
				t.Errorf("%s: %v", c.stage, err)
			}
		}
		if data, err := os.ReadFile(file); err != nil || string(data) != "cleaned up" {
			t.Errorf("the stage could not clean up: %q, %v", data, err)
		}
	})
}

func BenchmarkStage(b *testing.B) {
	for _, h := range []*Host{host(b), single(b)} {
		b.Run(string(h.Tier), func(b *testing.B) {
			for b.Loop() {
				must(b, runStage(b, h, Command{Stage: "test.echo"}, nil))
			}
		})
	}
}
