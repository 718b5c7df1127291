package unpack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"os/exec"
	"strings"
	"testing"
)

// runTool runs a program and returns its output.
func runTool(tb testing.TB, stdin []byte, name string, args ...string) []byte {
	tb.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C", "TZ=UTC")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return out
}

type hashWriter struct{ hash.Hash }

func newHash() hashWriter        { return hashWriter{sha256.New()} }
func (h hashWriter) hex() string { return hex.EncodeToString(h.Sum(nil)) }
