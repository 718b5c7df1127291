package testutil

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// namespaceVar tells a test that it runs in the namespace of [InNamespace].
const namespaceVar = "XTOO_TEST_NAMESPACE"

// InNamespace runs a whole test again as root of a user and mount namespace that has one id, the caller's: a layer can be
// unpacked there by whoever runs the test. It returns true in there, and false outside when that run has ended and its
// failures are the test's: the caller returns.
func InNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaceVar) == t.Name() {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), namespaceVar+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil && !bytes.Contains(out, []byte("--- ")):
		SkipOrFail(t, "no user namespace: %v\n%s", err, out)
	case err != nil:
		t.Errorf("in the namespace: %v\n%s", err, failures(out))
	case bytes.Contains(out, []byte("--- SKIP: "+t.Name())):
		SkipOrFail(t, "in the namespace:\n%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Errorf("it did not run in the namespace:\n%s", out)
	}
	return false
}

// failures leaves out what passed.
func failures(out []byte) string {
	var b strings.Builder
	for l := range strings.Lines(string(out)) {
		if !strings.Contains(l, "=== ") && !strings.Contains(l, "--- PASS") {
			b.WriteString(l)
		}
	}
	return b.String()
}
