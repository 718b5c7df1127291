package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"xtoo/chroot"
	"xtoo/chroot/host"
	"xtoo/internal/engine/local"
	"xtoo/internal/testutil"
	"xtoo/qemu"
)

func TestMain(m *testing.M) {
	local.RegisterStages()
	chroot.Main()
	testscript.Main(m, map[string]func(){
		"xtoo":  func() { os.Exit(xtoo()) },
		"stuck": stuck,
	})
}

// stages are the demo's stage3s, by architecture ("" is this machine's), each made once for all tests.
var stages struct {
	sync.Mutex
	dir  string
	made map[string]error
}

// demoStage makes the stage3 of the examples for an architecture.
func demoStage(arch string) (string, error) {
	stages.Lock()
	defer stages.Unlock()
	if stages.dir == "" {
		dir, err := os.MkdirTemp("", "xtoo-test-stage3-")
		if err != nil {
			return "", err
		}
		stages.dir, stages.made = dir, map[string]error{}
	}
	path := filepath.Join(stages.dir, strings.ReplaceAll("stage3"+arch, "/", "-")+".tar.xz")
	err, ok := stages.made[arch]
	if !ok {
		cmd := exec.Command("go", "run", "-trimpath", "-buildvcs=false", "xtoo/internal/demostage", "-o", path, "-arch", arch)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, runErr := cmd.CombinedOutput(); runErr != nil {
			err = fmt.Errorf("make the demo stage3: %w\n%s", runErr, out)
		}
		stages.made[arch] = err
	}
	return path, err
}

// TestScripts runs testdata/script/*.txtar: the whole command line, one file a command or a kind of mistake.
// Each script finds the demo stage3 as $STAGE3 and has a store of its own.
func TestScripts(t *testing.T) {
	if h, err := chroot.Probe(); err != nil {
		t.Fatalf("this machine does not let this user build: %v\nhint: %s", err, host.Hint(err))
	} else {
		t.Logf("tier %s: %s", h.Tier, h.Reason)
	}
	stage, err := demoStage("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(filepath.Dir(stage)); err != nil {
			t.Error(err)
		}
	})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("STAGE3", stage)
			if a, err := qemu.Lookup("arm-64bit", ""); err == nil {
				if found, err := qemu.Find(a, nil); err == nil {
					e.Setenv("QEMU", found.Path)
				}
			}
			e.Setenv("XTOO_STORE", filepath.Join(e.WorkDir, ".store"))
			e.Setenv("XTOO_TIER", os.Getenv("XTOO_TIER"))
			e.Setenv("HOME", filepath.Join(e.WorkDir, ".home"))
			if err := expand(e.WorkDir, stage); err != nil {
				return err
			}
			// Files in the store may belong to other ids of the user's range: only xtoo can remove them.
			e.Defer(func() { cleanStore(t, filepath.Join(e.WorkDir, ".store")) })
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "long":
				return testutil.IsLong(), nil
			case "mapped":
				h, err := chroot.Probe()
				return err == nil && h.Tier == host.TierMapped, err
			case "emulators":
				return canEmulate("arm-64bit", "arm-32bit", "riscv-64bit")
			case "programs386":
				return executes386(t)
			case "emulator386":
				return canEmulate("x86-32bit")
			case "skopeo", "unsquashfs": // judge where they are there
				_, err := exec.LookPath(cond)
				if err != nil && os.Getenv(testutil.NoSkipVar) != "" {
					return false, err
				}
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"tree-is-empty": cmdTreeIsEmpty,
			"stage3":        cmdStage3,
			"tiny-stage3":   cmdTinyStage3,
			"truncate":      cmdTruncate,
			"flip":          cmdFlip,
			"same-digest":   cmdSameDigest,
			"layers-are":    cmdLayersAre,
		},
	})
}

// expand puts the path of the demo stage3 into the configurations of a script.
func expand(dir, stage string) error {
	return filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".yaml") {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(p, []byte(strings.ReplaceAll(string(data), "$STAGE3", stage)), 0o644)
	})
}

func cleanStore(t *testing.T, dir string) {
	self, err := os.Executable()
	if err != nil {
		t.Error(err)
		return
	}
	cmd := exec.Command(self)
	cmd.Args = []string{"xtoo", "clean", "--all", "-q", "--store", dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("clean the store: %v\n%s", err, out)
	}
}
