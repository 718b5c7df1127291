package testutil

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Stage3Var names the environment variable that names a stage3 of real programs (.tar or .tar.xz) for tests that want one.
const Stage3Var = "XTOO_TEST_STAGE3"

// StageTar returns the tar stream of the stage3 that [Stage3Var] names as a file, decompressed by the system's xz.
// Without one it ends the test with [SkipOrFail].
func StageTar(t testing.TB) string {
	t.Helper()
	path := os.Getenv(Stage3Var)
	if path == "" {
		SkipOrFail(t, "%s names no stage3", Stage3Var)
	}
	if !strings.HasSuffix(path, ".xz") {
		return path
	}
	Need(t, "xz")
	out, err := os.Create(filepath.Join(t.TempDir(), "stage3.tar"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "xz", "-dc", "-T2", path)
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}
