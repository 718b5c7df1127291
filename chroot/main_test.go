package chroot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
	"xtoo/internal/testutil"
)

// driverVar makes the test binary a parent that executes one node, to be killed by a test.
const driverVar = "XTOO_TEST_CHROOT_DRIVER"

// TestMain lets the test binary be a stage, as main does. The tests are to pass as root, as a user with ranges in /etc/subuid and as one
// without, and for each with XTOO_TIER=single. A binary made with `go test -c` can be run as another user in this directory:
//
//	setpriv --reuid USER --regid USER --init-groups env -i HOME=/home/USER PATH=/usr/local/go/bin:/usr/bin:/bin ./chroot.test
func TestMain(m *testing.M) {
	registerTestStages()
	Main()
	if args := os.Getenv(driverVar); args != "" {
		drive(args)
	}
	if what := os.Getenv(refusedVar); what != "" {
		diagnoseRefused(what)
	}
	code := m.Run()
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// drive executes the node that is described in JSON, or starts a stage that sleeps.
func drive(args string) {
	var n struct {
		Stage        string
		Args         []string
		Lowers       []string
		Upper, Work  string
		GraceIgnored int
	}
	fail := func(err error) {
		fmt.Println("driver:", err)
		os.Exit(1)
	}
	if err := json.Unmarshal([]byte(args), &n); err != nil {
		fail(err)
	}
	h, err := Probe()
	if err != nil {
		fail(err)
	}
	if n.Stage != "" {
		pid := 0
		if err := startAndWait(h, stage.Command{Stage: "test.pid"}, &pid); err != nil {
			fail(err)
		}
		p, err := h.Start(context.Background(), stage.Command{Stage: n.Stage})
		if err != nil {
			fail(err)
		}
		fmt.Println("started", pid)
		fail(p.Wait(nil))
	}
	_, err = h.Run(context.Background(), Node{
		Spec: &specs.Spec{Process: &specs.Process{Args: n.Args}}, Lowers: n.Lowers, Upper: n.Upper, Work: n.Work, Output: os.Stdout,
	})
	fail(err)
}

// probed probes, and ends the test where the machine does not let anything be built.
func probed(t testing.TB) *Host {
	t.Helper()
	h, err := Probe()
	if err != nil {
		testutil.SkipOrFail(t, "no user namespaces here: %v (%s)", err, host.Hint(err))
	}
	t.Cleanup(h.Close)
	return h
}

// single is the single tier, whoever runs the test.
func single(t testing.TB) *Host {
	t.Helper()
	t.Setenv("XTOO_TIER", string(host.TierSingle))
	return probed(t)
}

// eachTier runs a test in the user's own tier, and in the single one too.
func eachTier(t *testing.T, test func(t *testing.T, h *Host)) {
	t.Helper()
	own := probed(t)
	t.Run(string(own.Tier), func(t *testing.T) { test(t, own) })
	if own.Tier != host.TierSingle {
		t.Run("single", func(t *testing.T) { test(t, single(t)) })
	}
}

// startAndWait starts a function and waits for it.
func startAndWait(h *Host, c stage.Command, result any) error {
	p, err := h.Start(context.Background(), c)
	if err != nil {
		return err
	}
	return p.Wait(result)
}

func runStage(t testing.TB, h *Host, c stage.Command, result any) error {
	t.Helper()
	return startAndWait(h, c, result)
}

// registerTestStages names what the tests execute in the namespaces.
func registerTestStages() {
	stage.Register("test.remove", func(_ context.Context, s *stage.Stage) error {
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
	stage.Register("test.pid", func(_ context.Context, s *stage.Stage) error { return s.Result(os.Getpid()) })
	stage.Register("test.exit", func(context.Context, *stage.Stage) error { os.Exit(7); return nil })
	stage.Register("test.deaf", func(context.Context, *stage.Stage) error { select {} })
	stage.RegisterAlone("test.emulate", emulateAsHost)
	stage.RegisterAlone("test.noxattrs", func(_ context.Context, s *stage.Stage) error {
		var dir string
		if err := s.Args(&dir); err != nil {
			return err
		}
		if err := syscall.Mount("mqueue", dir, "mqueue", 0, ""); err != nil {
			return err
		}
		return checkUserXattrs(dir)
	}, sentinels()...)
	stage.Register("test.untar", untar)
}

// built are the programs made from testdata, each built once.
var built struct {
	sync.Mutex
	dir  string
	done map[string]error
}

// guestProgram builds the program that the tests execute: for this machine, or as the environment (GOARCH=…) says.
func guestProgram(t testing.TB, env ...string) string { return testProgram(t, "guest", env...) }

// testProgram builds a program of testdata.
func testProgram(t testing.TB, program string, env ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	name := program + strings.Join(env, "-")
	err, ok := built.done[name]
	if !ok {
		err = buildProgram(program, name, env)
		if built.done == nil {
			built.done = map[string]error{}
		}
		built.done[name] = err
	}
	if err != nil {
		testutil.Need(t, "go")
		t.Fatalf("build the program that the tests execute: %v", err)
	}
	return filepath.Join(built.dir, name)
}

func buildProgram(program, name string, env []string) error {
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "xtoo-guest-")
		if err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
		built.dir = dir
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(built.dir, name), "./testdata/"+program)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GO111MODULE=off", "GOFLAGS="), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// A testRoot is a root with the guest program and nothing else.
type testRoot struct {
	t     testing.TB
	h     *Host
	dir   string
	Lower string
	node  Node
}

// newRoot makes a root with some directories. They are removed in a stage, as the user cannot remove what others own.
func newRoot(t testing.TB, h *Host, dirs ...string) *testRoot {
	t.Helper()
	return newRootOf(t, h, guestProgram(t), dirs...)
}

// newRootOf is newRoot with another program.
func newRootOf(t testing.TB, h *Host, program string, dirs ...string) *testRoot {
	t.Helper()
	dir := tempDir(t, h)
	r := &testRoot{t: t, h: h, dir: dir, Lower: filepath.Join(dir, "lower")}
	for _, d := range append([]string{"lower/bin", "upper", "work"}, dirs...) {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	data, err := os.ReadFile(program)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(r.Lower, "bin/guest"), data, 0o755))
	r.node = Node{
		Dirs:   []string{dir},
		Lowers: []string{r.Lower}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work"),
		Spec: &specs.Spec{Process: &specs.Process{Cwd: "/", Env: []string{"PATH=/bin"}}},
	}
	return r
}

// ordinary directories are what an ordinary image has.
func ordinary() []string {
	return []string{"lower/proc", "lower/sys", "lower/dev", "lower/run", "lower/tmp", "lower/etc"}
}

// tempDir is t.TempDir, emptied by a stage.
func tempDir(t testing.TB, h *Host) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := startAndWait(h, stage.Command{Stage: "test.remove", Args: dir}, nil); err != nil {
			t.Error("clean up:", err)
		}
	})
	return dir
}

// run executes the guest program and returns its output.
func (r *testRoot) run(args ...string) (string, Exit) {
	r.t.Helper()
	out, exit, err := r.try(args...)
	if err != nil {
		r.t.Fatalf("run %q: %v (hint: %s)\n%s", args, err, host.Hint(err), out)
	}
	return out, exit
}

func (r *testRoot) try(args ...string) (string, Exit, error) {
	var out bytes.Buffer
	n := r.freshWork()
	n.Output = &out
	n.Spec.Process.Args = append([]string{"/bin/guest"}, args...)
	exit, err := r.h.Run(context.Background(), n)
	return out.String(), exit, err
}

// freshWork is the node with a work directory that was not used before.
func (r *testRoot) freshWork() Node {
	r.t.Helper()
	n := r.node
	if n.Work != "" {
		var err error
		n.Work, err = os.MkdirTemp(r.dir, "work-")
		must(r.t, err)
	}
	return n
}

// upperHas says whether something is in the upper directory.
func (r *testRoot) upperHas(name string) bool {
	_, err := os.Lstat(filepath.Join(r.node.Upper, name))
	return err == nil
}

var (
	must     = testutil.Must
	contains = testutil.Contains
)

// mkdir makes a directory beside those of the root.
func (r *testRoot) mkdir(name string) {
	r.t.Helper()
	must(r.t, os.Mkdir(filepath.Join(r.dir, name), 0o755))
}
