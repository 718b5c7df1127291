package local

import (
	"fmt"
	"strings"
	"testing"

	"xtoo/chroot"
	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/layers/tree"
)

// TestRunnerCopies: in copies of roots all is as in overlays.
func TestRunnerCopies(t *testing.T) {
	t.Setenv("XTOO_ROOTS", string(chroot.RootsCopy))
	enginetest.TestRunner(t, func(t *testing.T) enginetest.RunnerCase {
		c, _ := newCase(t)
		return c
	})
}

// TestCopiedChain: a chain of nodes gives the layers that it gives in overlays, and copies its root once.
func TestCopiedChain(t *testing.T) {
	chain := func() (ids []string, made int) {
		c, r := newCase(t)
		seen := map[string]bool{}
		for i := range 4 {
			out, said := runScript(t, c, fmt.Sprintf("echo %d > /file%d\n", i, i%2))
			if out.Exit != 0 || out.DiffID == "" {
				t.Fatalf("%+v: %s", out, said)
			}
			ids = append(ids, out.DiffID.String())
			c.Layers = append(c.Layers, engine.Link{DiffID: out.DiffID, Dir: out.DiffID})
			for _, idle := range r.roots.idle {
				seen[idle.at] = true
			}
		}
		// What a check changes goes, and the copy stays.
		if out, said := runDiscarded(t, c, "echo x > /file0\n"); out.Exit != 0 || out.DiffID != "" {
			t.Fatalf("%+v: %s", out, said)
		}
		for _, idle := range r.roots.idle {
			seen[idle.at] = true
		}
		if out, said := runScript(t, c, "cat /file0\n"); out.DiffID != "" || said != "2\n" {
			t.Errorf("after a check: %+v: %q", out, said)
		}
		if out, _ := runScript(t, c, "exit 3\n"); out.Exit != 3 || len(r.roots.idle) > 0 {
			t.Errorf("a script that failed gives %+v, and leaves the copies %v", out, r.roots.idle)
		}
		return ids, len(seen)
	}
	t.Setenv("XTOO_ROOTS", string(chroot.RootsOverlay))
	want, made := chain()
	t.Setenv("XTOO_ROOTS", string(chroot.RootsCopy))
	got, copies := chain()
	if strings.Join(got, " ") != strings.Join(want, " ") || made != 0 || copies != 1 {
		t.Errorf("layers %v from %d copies, want %v", got, copies, want)
	}
}

// TestFallBack: what says that there are no overlays makes copies of all roots that come, and is said once.
func TestFallBack(t *testing.T) {
	var said []string
	tell := func(e engine.Event) { said = append(said, e.Text) }
	no := fmt.Errorf("node: %w", chroot.ErrNoOverlay)
	var auto roots
	if auto.fallBack(nil, tell) || auto.fallBack(fmt.Errorf("%w: %w", no, tree.ErrNoUserXattrs), tell) || auto.copied.Load() || len(said) > 0 {
		t.Errorf("without a reason: %v", said)
	}
	first := auto.fallBack(no, tell)
	again := auto.fallBack(no, tell)
	if !first || !again || !auto.copied.Load() || len(said) != 1 || !strings.Contains(said[0], "copies of their roots") {
		t.Errorf("said %q", said)
	}
	forbidden := roots{wanted: chroot.RootsOverlay}
	if forbidden.fallBack(no, tell) || forbidden.copied.Load() {
		t.Error("copies are made where they are forbidden")
	}
	t.Setenv("XTOO_ROOTS", "fuse")
	if _, err := New(Options{}).host(); err == nil || !strings.Contains(err.Error(), `XTOO_ROOTS="fuse"`) {
		t.Errorf("a word that nobody knows: %v", err)
	}
}
