package local

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/chroot"
	"xtoo/chroot/host"
	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/internal/testutil"
	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/qemu"
)

func TestMain(m *testing.M) {
	RegisterStages()
	chroot.Main()
	os.Exit(m.Run())
}

// shell is the program that the tests' scripts are interpreted by, built once.
var shell = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "xtoo-minish-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "minish")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./testdata/minish")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Join(err, errors.New(string(out)))
	}
	return os.ReadFile(path)
})

// newCase is a runner of this machine, with a store that has one layer with a shell in it.
func newCase(t *testing.T) (enginetest.RunnerCase, *Runner) {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := New(Options{Store: s})
	if _, err := r.host(); err != nil {
		testutil.SkipOrFail(t, "no user namespaces here: %v (%s)", err, host.Hint(err))
	}
	t.Cleanup(func() { // files may belong to other ids: only a stage can remove them
		defer r.Close()
		if err := errors.Join(s.Close(context.Background(), r.Remove), s.CleanAll(context.Background(), r.Remove)); err != nil {
			t.Error(err)
		}
	})
	return enginetest.RunnerCase{
		Runner: r, Store: s, Arch: qemu.Host(), Layers: []engine.Link{shellLayer(t, s)}, Interpreter: []string{"/bin/minish"},
	}, r
}

func shellLayer(t *testing.T, s *store.Store) engine.Link {
	t.Helper()
	program, err := shell()
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.NewLayer(t.Context(), layers.None, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	old := time.Unix(1000000000, 0)
	_, err = w.Write(testutil.Tar(t, testutil.Dir("./").WithTime(old), testutil.Dir("bin/").WithTime(old), testutil.Dir("etc/").WithTime(old),
		testutil.File("bin/minish", string(program)).WithMode(0o755).WithTime(old)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return engine.Link{DiffID: l.DiffID, Dir: l.DiffID}
}

func TestRunner(t *testing.T) {
	enginetest.TestRunner(t, func(t *testing.T) enginetest.RunnerCase {
		c, _ := newCase(t)
		return c
	})
}

// What a build unpacks while it reads is the directory of the layer; what is given up leaves nothing.
func TestUnpack(t *testing.T) {
	c, r := newCase(t)
	link := c.Layers[0]
	in, err := c.Store.OpenLayer(link.DiffID)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	u, err := r.Unpack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Abort(t.Context())
	if _, err := io.Copy(u, in); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(u.Finish(), u.Adopt(link.Dir)); err != nil {
		t.Fatal(err)
	}
	if !u.dirs.Has(link.Dir) {
		t.Error("the layer has no directory")
	}

	u, err = r.Unpack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Abort(t.Context())
	garbage := strings.NewReader(strings.Repeat("garbage ", 1<<18))
	_, err = io.Copy(u, garbage)
	if err = errors.Join(u.Explain(err), u.Finish()); err == nil || strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("garbage is unpacked: %v", err)
	}
	u.Abort(t.Context())
	if _, err := os.Stat(u.holder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it leaves %s", u.holder)
	}
}

// A directory that was not known to be on the disk when the machine went down is made again.
func TestStaleDirectory(t *testing.T) {
	c, r := newCase(t)
	host, err := r.host()
	if err != nil {
		t.Fatal(err)
	}
	dirs := r.dirsOf(host, false)
	if _, _, err := r.lowerDirs(t.Context(), dirs, c.Layers); err != nil {
		t.Fatal(err)
	}
	holder := filepath.Dir(dirs.Path(c.Layers[0].Dir))
	if err := os.WriteFile(filepath.Join(holder, "fresh"), []byte(`{"boot":"another"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if dirs.Has(c.Layers[0].Dir) {
		t.Fatal("the directory of another boot is trusted")
	}
	again := New(r.o)
	defer again.Close()
	paths, _, err := again.lowerDirs(t.Context(), dirs, c.Layers)
	if err != nil || len(paths) != 1 || !dirs.Has(c.Layers[0].Dir) {
		t.Errorf("%v, %v", paths, err)
	}
	missing := engine.Link{DiffID: digest.FromString("missing"), Dir: digest.FromString("missing")}
	if _, _, err := again.lowerDirs(t.Context(), dirs, []engine.Link{missing}); err == nil || !strings.Contains(err.Error(), "unpack layer") {
		t.Errorf("a layer that nobody has: %v", err)
	}
}
