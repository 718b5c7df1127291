package enginetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/engine"
	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/projects"
	"xtoo/qemu"
)

// A RunnerCase is a runner with layers to execute on.
type RunnerCase struct {
	Runner engine.Runner
	Store  *store.Store
	Layers []engine.Link
	Arch   qemu.Arch
	// Interpreter executes scripts of package minish.
	Interpreter []string
}

// TestRunner is what every runner does.
func TestRunner(t *testing.T, newCase func(t *testing.T) RunnerCase) {
	for name, test := range map[string]func(*testing.T, *runnerTest){
		"layer": testLayer, "nothing": testNothing, "clock behind": testClockBehind, "exit": testExit, "files": testFiles, "secrets": testSecrets,
		"damaged": testDamaged, "cancelled": testCancelled, "late": testLate, "output": testOutputFails, "remove": testRemove,
		"discard": testDiscard, "container": testContainer,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCase(t)
			if err := c.Runner.Ready(t.Context(), c.Arch); err != nil {
				t.Fatal(err)
			}
			test(t, &runnerTest{RunnerCase: c, t: t})
		})
	}
}

// epoch is earlier than any time at which the tests run.
var epoch = time.Unix(1500000000, 0).UTC()

type runnerTest struct {
	RunnerCase
	t   *testing.T
	out bytes.Buffer
}

func (r *runnerTest) input(text string) (digest.Digest, int64) {
	r.t.Helper()
	d, size, err := r.Store.KeepInput(r.t.Context(), strings.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	return d, size
}

func (r *runnerTest) job(script string) engine.Job {
	r.t.Helper()
	d, size := r.input(script)
	return engine.Job{
		Key: engine.Key("test", script), Arch: r.Arch, Layers: r.Layers, Interpreter: r.Interpreter, Network: projects.NetworkNone,
		Script: engine.File{Path: "xtoo/script", Mode: 0o755, Digest: d, Size: size},
		Env:    []string{"PATH=/bin", "COLOUR=blue"}, Epoch: epoch, Compression: layers.Gzip, Jobs: 1,
	}
}

func (r *runnerTest) run(ctx context.Context, j engine.Job) (engine.Outcome, error) {
	r.out.Reset()
	return r.Runner.Run(ctx, j, engine.Site{Output: &r.out, Secret: func(ref string) ([]byte, error) {
		if ref != "pw" {
			return nil, errors.New("no such secret")
		}
		return []byte("hunter2\n"), nil
	}})
}

func (r *runnerTest) mustRun(j engine.Job) engine.Outcome {
	r.t.Helper()
	o, err := r.run(r.t.Context(), j)
	if err != nil || o.Exit != 0 {
		r.t.Fatalf("%+v, %v, printed %q", o, err, r.out.String())
	}
	return o
}

// testLayer: what a script writes is in its layer, the same when its job has been JSON, and seen by what is executed on it.
func testLayer(t *testing.T, r *runnerTest) {
	j := r.job("echo new > /file\nenv COLOUR\n")
	o := r.mustRun(j)
	if r.out.String() != "blue\n" {
		t.Errorf("printed %q", r.out.String())
	}
	members := readLayer(t, r.Store, o.DiffID)
	file, ok := members["file"]
	if !ok || file.Data != "new\n" || file.ModTime.After(epoch) || o.Entries < 1 || o.Bytes < 512 {
		t.Errorf("the layer %+v holds %+v", o, members)
	}
	var back engine.Job
	viaJSON(t, j, &back)
	if !reflect.DeepEqual(back, j) {
		t.Errorf("a job changes on its way through JSON:\n%+v\n%+v", j, back)
	}
	if again := r.mustRun(back); again.DiffID != o.DiffID {
		t.Errorf("the same job gives %s and %s", o.DiffID, again.DiffID)
	}
	above := r.job("cat /file\nrm /file\n")
	above.Layers = append(append([]engine.Link{}, r.Layers...), engine.Link{DiffID: o.DiffID, Dir: o.DiffID})
	if r.mustRun(above); r.out.String() != "new\n" {
		t.Errorf("the job above prints %q", r.out.String())
	}
}

// testClockBehind: where no clock has reached the epoch yet, layers are the same each time all the same.
func testClockBehind(t *testing.T, r *runnerTest) {
	j := r.job("echo new > /file\n")
	j.Epoch = time.Unix(4000000000, 0).UTC()
	first, second := r.mustRun(j), r.mustRun(j)
	if m := readLayer(t, r.Store, first.DiffID)["file"]; !m.ModTime.Equal(j.Epoch) {
		t.Errorf("the file is of %s", m.ModTime)
	}
	if first.DiffID != second.DiffID {
		t.Errorf("the layers are %s and %s", first.DiffID, second.DiffID)
	}
}

func testNothing(t *testing.T, r *runnerTest) {
	if o := r.mustRun(r.job("echo hello\n")); o.DiffID != "" || o.IDs < r.Runner.IDs() || r.out.String() != "hello\n" {
		t.Errorf("a script that changes nothing gives %+v, prints %q", o, r.out.String())
	}
}

// testDiscard: a root that is thrown away can be written, and nothing of it is seen again; it leaves nothing behind.
func testDiscard(t *testing.T, r *runnerTest) {
	j := r.job("echo new > /etc/thrown\ncat /etc/thrown\n")
	j.Discard = true
	for range 2 {
		if o := r.mustRun(j); o.DiffID != "" || o.IDs < r.Runner.IDs() || r.out.String() != "new\n" {
			t.Errorf("%+v, printed %q", o, r.out.String())
		}
	}
	again := r.job("cat /etc/thrown\n")
	again.Discard = true
	if o, err := r.run(t.Context(), again); err != nil || o.Exit != 1 {
		t.Errorf("what was thrown away is there: %+v, %v, printed %q", o, err, r.out.String())
	}
	// The root is as it was for a node, too.
	if o := r.mustRun(r.job("echo y > /etc/y\n")); readLayer(t, r.Store, o.DiffID)["etc/thrown"].Name != "" {
		t.Errorf("what was thrown away is in a layer: %+v", o)
	}
}

// testContainer: a job has the user, home and working directory of a container.
func testContainer(t *testing.T, r *runnerTest) {
	users := r.mustRun(r.job("echo www:x:80:81::/srv/www:/bin/sh > /etc/passwd\n"))
	j := r.job("id\npwd\nenv HOME\n")
	j.Layers = append(append([]engine.Link{}, r.Layers...), engine.Link{DiffID: users.DiffID, Dir: users.DiffID})
	j.User, j.Dir, j.Discard = "www", "/srv/data", true
	if r.mustRun(j); r.out.String() != "80\n/srv/data\n/srv/www\n" {
		t.Errorf("printed %q", r.out.String())
	}
	j.User = "nobody"
	if o, err := r.run(t.Context(), j); err == nil || !strings.Contains(err.Error(), `user "nobody" of the image`) {
		t.Errorf("a user that is not there: %+v, %v", o, err)
	}
	secret := r.job("id\ncat /run/xtoo/secrets/pw\n")
	secret.Layers, secret.User, secret.Discard = j.Layers, "www", true
	secret.Secrets = []engine.Secret{{Path: "xtoo/secrets/pw", Ref: "pw"}}
	if r.mustRun(secret); r.out.String() != "80\nhunter2\n" {
		t.Errorf("with a secret: %q", r.out.String())
	}
}

func testExit(t *testing.T, r *runnerTest) {
	o, err := r.run(t.Context(), r.job("echo x > /x\nexit 3\n"))
	if err != nil || o.Exit != 3 || o.DiffID != "" {
		t.Errorf("exit 3 gives %+v, %v", o, err)
	}
}

func testFiles(t *testing.T, r *runnerTest) {
	j := r.job("cat /run/xtoo/files/d/f\ncat /run/xtoo/files/link\n")
	d, size := r.input("declared\n")
	j.Files = []engine.File{
		{Path: "xtoo/files/d", Mode: fs.ModeDir | 0o755},
		{Path: "xtoo/files/d/empty", Mode: fs.ModeDir | 0o755},
		{Path: "xtoo/files/d/f", Mode: 0o644, Digest: d, Size: size},
		{Path: "xtoo/files/link", Mode: fs.ModeSymlink | 0o777, Target: "d/f"},
	}
	if o := r.mustRun(j); o.DiffID != "" || r.out.String() != "declared\ndeclared\n" {
		t.Errorf("%+v, printed %q", o, r.out.String())
	}
}

func testSecrets(t *testing.T, r *runnerTest) {
	j := r.job("cat /run/xtoo/secrets/pw\n")
	j.Secrets = []engine.Secret{{Path: "xtoo/secrets/pw", Ref: "pw"}}
	if strings.Contains(asJSON(t, j), "hunter2") {
		t.Error("the secret stands in the job")
	}
	if o := r.mustRun(j); o.DiffID != "" || r.out.String() != "hunter2\n" {
		t.Errorf("%+v, printed %q", o, r.out.String())
	}
	j.Secrets[0].Ref = "another"
	if _, err := r.run(t.Context(), j); err == nil {
		t.Error("a job whose secret is not known is executed")
	}
}

// testDamaged: only bytes of the digest that stands in the job are executed.
func testDamaged(t *testing.T, r *runnerTest) {
	j := r.job("echo good\n")
	if err := os.WriteFile(r.Store.InputPath(j.Script.Digest), []byte("echo evil\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o, err := r.run(t.Context(), j); err == nil {
		t.Errorf("another script is executed: %+v, printed %q", o, r.out.String())
	}
	if j.Script.Digest, _ = r.input("echo good\n"); r.mustRun(j).Exit != 0 || r.out.String() != "good\n" {
		t.Errorf("printed %q", r.out.String())
	}
}

// testLate: a script that takes longer than its timeout is ended, and that is no error.
func testLate(t *testing.T, r *runnerTest) {
	j := r.job("echo begun\nsleep 60\necho x > /x\n")
	j.Limits.Timeout = 300 * time.Millisecond
	begun := time.Now()
	o, err := r.run(t.Context(), j)
	if err != nil || !o.Late || o.DiffID != "" || time.Since(begun) > 20*time.Second {
		t.Errorf("after %v: %+v, %v, printed %q", time.Since(begun), o, err, r.out.String())
	}
}

func testCancelled(t *testing.T, r *runnerTest) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begun := time.Now()
	o, err := r.run(ctx, r.job("sleep 60\necho x > /x\n"))
	if !errors.Is(err, context.DeadlineExceeded) || o.DiffID != "" || time.Since(begun) > 20*time.Second {
		t.Errorf("after %s: %+v, %v", time.Since(begun), o, err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func testOutputFails(t *testing.T, r *runnerTest) {
	if _, err := r.Runner.Run(t.Context(), r.job("echo x\necho x > /x\n"), engine.Site{Output: brokenWriter{}}); err == nil {
		t.Error("output that cannot be kept is no error")
	}
}

func testRemove(t *testing.T, r *runnerTest) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.MkdirAll(filepath.Join(dir, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.Runner.Remove(t.Context(), dir, dir+".none"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
