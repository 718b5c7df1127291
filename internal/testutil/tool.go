package testutil

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A Tool is how a test runs programs. The zero value runs them in the test's directory and environment, with LC_ALL=C
// and TZ=UTC, and without input.
type Tool struct {
	Dir   string
	Env   []string // added to the environment
	Stdin io.Reader
	// Both returns standard error together with standard output, as they come, instead of standard output alone.
	Both bool
}

// Run runs a program that must succeed, and returns what it printed. Where it fails the test ends, with all that the
// program said.
func (tool Tool) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, said, err := tool.Try(t, name, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(append([]string{name}, args...), " "), err, said)
	}
	return out
}

// Try runs a program that may fail. It returns what [Tool.Run] would, all that the program said, and its error.
func (tool Tool) Try(t testing.TB, name string, args ...string) (out, said string, err error) {
	t.Helper()
	// The functions of t.Cleanup run programs, too, and the context of the test has ended by then.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Dir, cmd.Stdin = tool.Dir, tool.Stdin
	cmd.Env = append(append(os.Environ(), "LC_ALL=C", "TZ=UTC"), tool.Env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if tool.Both {
		cmd.Stderr = &stdout // one writer: os/exec gives both one pipe, and the order is kept
	}
	err = cmd.Run()
	return stdout.String(), stdout.String() + stderr.String(), err
}

// Run is [Tool.Run] of the zero Tool.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	return Tool{}.Run(t, name, args...)
}
