package chroot

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
	"xtoo/internal/testutil"
)

func untar(ctx context.Context, s *stage.Stage) error {
	var a struct {
		Tar, Dir string
		Owners   bool
	}
	if err := s.Args(&a); err != nil {
		return err
	}
	args := []string{"-xpf", a.Tar, "-C", a.Dir, "--exclude=./dev/*", "--numeric-owner"}
	if !a.Owners {
		args = append(args, "--no-same-owner")
	}
	if out, err := exec.CommandContext(ctx, "tar", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w: %s", err, out)
	}
	return nil
}

func TestStage3(t *testing.T) {
	file := os.Getenv(testutil.Stage3Var) // its shell is executed for real
	if file == "" {
		testutil.SkipOrFail(t, "%s is not set", testutil.Stage3Var)
	}
	testutil.Need(t, "tar", "xz")
	eachTier(t, func(t *testing.T, h *Host) {
		dir := tempDir(t, h)
		for _, d := range []string{"lower", "upper", "work"} {
			must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
		}
		must(t, runStage(t, h, stage.Command{
			Stage: "test.untar", Args: map[string]any{"Tar": file, "Dir": filepath.Join(dir, "lower"), "Owners": h.Tier == host.TierMapped},
		}, nil))
		script := `#!/bin/sh
set -eu
id -u
echo "$0 $XTOO_X"
test -r /etc/passwd && test "$(stat -c %a /tmp)" = 1777
echo x > /dev/null; echo to-stderr > /dev/stderr; echo y | cat > /tmp/f
mkdir -p /opt/a && echo made > /opt/a/b
mv /opt/a /opt/c
rm -rf /usr/share/doc || :
chown 250:250 /opt/c/b && stat -c owner=%u:%g /opt/c/b
exit 3
`
		var out bytes.Buffer
		exit, err := h.Run(context.Background(), Node{
			Spec:   &specs.Spec{Process: &specs.Process{Args: []string{"/run/xtoo/script"}, Env: []string{"PATH=/usr/bin:/bin", "XTOO_X=value"}}},
			Lowers: []string{filepath.Join(dir, "lower")}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work"),
			Files: map[string]RunFile{"xtoo/script": {Content: []byte(script), Mode: 0o755}}, Output: &out,
		})
		if err != nil || exit.Code != 3 {
			t.Errorf("exit %+v, %v, hint %q", exit, err, host.Hint(err))
		}
		contains(t, out.String(), "0\n/run/xtoo/script value\nto-stderr\n", "owner=250:250")
	})
}
