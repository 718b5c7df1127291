package stage

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
	"sync"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/internal/testutil"
)

func TestStageArgumentsAndResult(t *testing.T) {
	eachTier(t, func(t *testing.T, c *Client) {
		want := map[string]string{"a": "ä\n\x00", "long": strings.Repeat("y", 3<<20)}
		var got map[string]string
		must(t, runStage(t, c, Command{Stage: "test.echo", Args: want}, &got))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Error("the result is not the arguments")
		}
	})
}

func TestStageFiles(t *testing.T) {
	eachTier(t, func(t *testing.T, c *Client) {
		inR, inW, err := os.Pipe()
		must(t, err)
		outR, outW, err := os.Pipe()
		must(t, err)
		p, err := c.Start(context.Background(), Command{Stage: "test.file", Files: []*os.File{inR, outW}})
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
	root, err := os.Open("/")
	must(t, err)
	defer root.Close()
	// Its number is none that the stage would give to a file of its own.
	fd, err := unix.FcntlInt(root.Fd(), unix.F_DUPFD, 50)
	must(t, err)
	left := os.NewFile(uintptr(fd), "/")
	defer left.Close()
	eachTier(t, func(t *testing.T, c *Client) {
		var st stageState
		must(t, runStage(t, c, Command{Stage: "test.state"}, &st))
		checkState(t, c, st, left)
		var alone stageState
		must(t, runStage(t, c, Command{Stage: "test.alone"}, &alone))
		checkState(t, c, alone, left)
		if alone.Pid == st.Pid || fmt.Sprint(alone.Maps) != fmt.Sprint(c.host.Inside().UIDs) {
			t.Errorf("a process of its own is %+v", alone)
		}
	})
}

func checkState(t *testing.T, c *Client, st stageState, left *os.File) {
	t.Helper()
	if st.UID != 0 || st.GID != 0 {
		t.Errorf("ids %d:%d", st.UID, st.GID)
	}
	if c.host.Tier == host.TierMapped && len(st.Groups) > 0 {
		t.Errorf("groups %v", st.Groups)
	}
	if st.Dir != "/" {
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
}

func TestStageErrors(t *testing.T) {
	cases := []struct {
		kind string
		is   []error
		not  error
		text string
		hint string
	}{
		{kind: "errno", is: []error{syscall.ENOSPC}, not: syscall.EROFS, text: "write: write /x: no space left on device", hint: host.Hint(syscall.ENOSPC)},
		{kind: "missing", is: []error{fs.ErrNotExist, syscall.ENOENT}, not: fs.ErrExist, text: "open /does/not/exist"},
		{kind: "joined", is: []error{syscall.EROFS, io.ErrUnexpectedEOF}, not: syscall.ENOENT, text: "second"},
		{kind: "own", is: []error{errOfTest}, not: host.ErrNoNamespaces, text: "wrapped: an error"},
		{kind: "hint", is: []error{host.ErrNoNamespaces}, not: errOfTest, text: "outer: user namespaces", hint: "do this"},
		{kind: "panic", is: []error{errDied}, not: errOfTest, text: "panic: on purpose"},
		{kind: "exit", is: []error{errDied}, not: errOfTest, text: "exit status 7"},
		{kind: "threads", is: []error{errDied, syscall.EAGAIN}, not: errOfTest, text: "died: start a thread: resource", hint: host.Hint(host.ExplainStart(syscall.EAGAIN, 0))},
	}
	eachTier(t, func(t *testing.T, c *Client) {
		for _, one := range cases {
			var beside string
			err := runStage(t, c, Command{Stage: "test.error", Args: one.kind}, &beside)
			if err == nil {
				t.Errorf("%s: no error", one.kind)
				continue
			}
			for _, is := range one.is {
				if !errors.Is(err, is) {
					t.Errorf("%s: %v is not %v", one.kind, err, is)
				}
			}
			if errors.Is(err, one.not) {
				t.Errorf("%s: %v is %v", one.kind, err, one.not)
			}
			contains(t, err.Error(), one.text)
			if strings.Contains(err.Error(), "goroutine") {
				t.Errorf("the stacks of the runtime are in %v", err)
			}
			if host.Hint(err) != one.hint {
				t.Errorf("%s: hint %q", one.kind, host.Hint(err))
			}
			if one.kind == "errno" && beside != "beside" {
				t.Errorf("the result beside an error is %q", beside)
			}
		}
	})
}

func TestStageUnknown(t *testing.T) {
	c := client(t, probe(t))
	if _, err := c.Start(context.Background(), Command{Stage: "nobody"}); err == nil {
		t.Error("a stage that is not registered was started")
	}
	if _, err := c.Start(context.Background(), Command{Stage: "test.echo", Args: func() {}}); err == nil {
		t.Error("arguments that are no JSON were sent")
	}
	if _, err := c.Start(context.Background(), Command{Stage: "test.echo", Args: strings.Repeat("x", maxFrame)}); err == nil || !strings.Contains(err.Error(), "more than fit") {
		t.Errorf("too long arguments: %v", err)
	}
	if _, err := c.Start(context.Background(), Command{Stage: "test.echo", Files: make([]*os.File, maxFiles)}); err == nil {
		t.Error("too many files were sent")
	}
	if len(c.all) > 1 {
		t.Error("a wrong call cost a server")
	}
}

func TestStageLog(t *testing.T) {
	c := client(t, probe(t))
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	must(t, runStage(t, c, Command{Stage: "test.log", Log: log}, nil))
	contains(t, out.String(), `level=INFO msg=unpacking layer=3 name="x y"`, "level=WARN msg=careful")
	if strings.Contains(out.String(), "not wanted") {
		t.Error("a record below the level came over")
	}
}

func TestStageChown(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o777)) // for a server with other ids
	h := probe(t)
	chown := func(c *Client, id int) error {
		p := filepath.Join(dir, fmt.Sprint(c.host.Tier, id))
		return runStage(t, c, Command{Stage: "test.chown", Args: map[string]any{"Path": p, "ID": id}}, nil)
	}
	mapped := client(t, h)
	if h.Tier == host.TierMapped {
		for _, id := range []int{0, 1, 250, 1000, 65534, 65535, 65536} {
			if err := chown(mapped, id); err != nil {
				t.Errorf("chown to %d: %v", id, err)
			}
		}
	}
	one := client(t, single(t))
	if err := chown(one, 250); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("chown to 250 with one id: %v", err)
	}
	must(t, chown(one, 0))
}

func TestStageCancel(t *testing.T) {
	eachTier(t, func(t *testing.T, c *Client) {
		file := filepath.Join(t.TempDir(), "file")
		var atOnce sync.WaitGroup
		for name, most := range map[string]time.Duration{"test.polite": time.Second, "test.deaf": 2 * time.Second, "test.deafalone": 2 * time.Second} {
			ctx, cancel := context.WithCancelCause(context.Background())
			p, err := c.Start(ctx, Command{Stage: name, Args: file})
			must(t, err)
			atOnce.Go(func() {
				time.Sleep(20 * time.Millisecond) // so that it is cancelled at work, mostly
				timer, why := testutil.NewTimer(), errors.New("the reason")
				cancel(why)
				if err := p.Wait(nil); !errors.Is(err, why) {
					t.Errorf("%s: %v", name, err)
				}
				timer.Within(t, most+slack, name)
			})
		}
		atOnce.Wait()
		if data, err := os.ReadFile(file); err != nil || string(data) != "cleaned up" {
			t.Errorf("the stage could not clean up: %q, %v", data, err)
		}
	})
}

func TestMapRefused(t *testing.T) {
	h := *probe(t)
	said, hint := "newuidmap", "/etc/subuid"
	own := h.UIDs[0]
	h.UIDs = []specs.LinuxIDMapping{own, {ContainerID: 1, HostID: 0, Size: 1}} // the real root
	if !h.HelpedMaps() {
		h.UIDs, said, hint = []specs.LinuxIDMapping{own, own}, "uid_map", ""
	}
	_, err := client(t, &h).Start(context.Background(), Command{Stage: "test.echo"})
	if !errors.Is(err, host.ErrNoNamespaces) || !strings.Contains(err.Error(), said) || !strings.Contains(host.Hint(err), hint) {
		t.Errorf("%v (%s)", err, host.Hint(err))
	}
}

func BenchmarkStage(b *testing.B) {
	for _, h := range []*host.Host{probe(b), single(b)} {
		for _, name := range []string{"test.echo", "test.alone"} {
			b.Run(string(h.Tier)+"/"+name, func(b *testing.B) {
				c := client(b, h)
				for b.Loop() {
					must(b, runStage(b, c, Command{Stage: name}, nil))
				}
			})
		}
	}
}
