package local

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/chroot/host"
	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/internal/testutil"
	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/projects"
)

// foreignLayer stores a layer whose directory depends on what lies below: the name says where it lies.
func foreignLayer(t *testing.T, s *store.Store, name string, members ...testutil.Member) engine.Link {
	t.Helper()
	w, err := s.NewLayer(t.Context(), layers.None, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(testutil.Tar(t, members...)); err != nil {
		t.Fatal(err)
	}
	l, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return engine.Link{DiffID: l.DiffID, Dir: digest.FromString(name)}
}

// membersOf reads a layer of the store.
func membersOf(t *testing.T, s *store.Store, diffID digest.Digest) []testutil.Member {
	t.Helper()
	in, err := s.OpenLayer(diffID)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return testutil.ReadTar(t, data)
}

// runScript executes a script of package minish on the layers, and returns what it printed, too.
func runScript(t *testing.T, c enginetest.RunnerCase, script string) (engine.Outcome, string) {
	t.Helper()
	return runJob(t, c, script, false)
}

// runDiscarded does so as a check.
func runDiscarded(t *testing.T, c enginetest.RunnerCase, script string) (engine.Outcome, string) {
	t.Helper()
	return runJob(t, c, script, true)
}

func runJob(t *testing.T, c enginetest.RunnerCase, script string, discard bool) (engine.Outcome, string) {
	t.Helper()
	d, size, err := c.Store.KeepInput(t.Context(), strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	out, err := c.Runner.Run(t.Context(), engine.Job{
		Key: engine.Key("test", script), Arch: c.Arch, Layers: c.Layers, Interpreter: c.Interpreter, Network: projects.NetworkNone, Discard: discard,
		Script: engine.File{Path: "xtoo/script", Mode: 0o755, Digest: d, Size: size},
		Env:    []string{"PATH=/bin"}, Epoch: time.Unix(1500000000, 0), Compression: layers.None, Jobs: 1,
	}, engine.Site{Output: &said})
	if err != nil {
		t.Fatal(err)
	}
	return out, said.String()
}

// A layer whose root is opaque hides all that lies below, but not what the root itself is.
func TestOpaqueRoot(t *testing.T) {
	c, _ := newCase(t)
	program, err := shell()
	if err != nil {
		t.Fatal(err)
	}
	low := foreignLayer(t, c.Store, "low", testutil.Dir("./").WithMode(0o751), testutil.File("etc-old", "old\n"))
	top := foreignLayer(t, c.Store, "top", testutil.File(".wh..wh..opq", ""), testutil.Dir("bin/"), testutil.File("bin/minish", string(program)).WithMode(0o755))
	c.Layers = []engine.Link{low, top}
	out, said := runScript(t, c, "cat /etc-old\n")
	if out.Exit != 1 || !strings.Contains(said, "no such file") {
		t.Errorf("exit code %d: %s", out.Exit, said)
	}
	out, said = runScript(t, c, "echo changed > /new\n")
	if out.Exit != 0 {
		t.Fatalf("exit code %d: %s", out.Exit, said)
	}
	if m := membersOf(t, c.Store, out.DiffID); len(m) != 2 || m[0].Name != "./" || m[0].Mode != 0o751 {
		t.Errorf("the layer has %+v", m)
	}
}

// The user hears of owners that no script can see, and of attributes.
func TestUnpackWarns(t *testing.T) {
	c, r := newCase(t)
	var warnings []string
	r.o.Events = func(e engine.Event) { warnings = append(warnings, e.Text) }
	c.Layers = append(c.Layers, foreignLayer(t, c.Store, "far", testutil.File("near", "n"), testutil.File("far", "f").WithOwner(4000000000, 4000000000),
		testutil.Symlink("link", "far").WithOwner(0, 4000000000), testutil.File("odd", "o").WithXattr("user.overlay.x", "1")))
	if out, said := runScript(t, c, "cat /far\n"); out.Exit != 0 || said != "f" {
		t.Errorf("exit code %d: %s", out.Exit, said)
	}
	want := []string{": 2 of its files belong to users", "/odd: xattr user.overlay.x (and 0 more)"}
	if r.found.Tier == host.TierSingle {
		want = want[1:] // scripts see what is recorded
	}
	if !slices.EqualFunc(warnings, want, strings.Contains) {
		t.Errorf("warnings %q, want %q", warnings, want)
	}
}
