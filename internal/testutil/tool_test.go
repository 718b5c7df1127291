package testutil_test

import (
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

func TestRun(t *testing.T) {
	testutil.Need(t, "sh")
	dir := t.TempDir()
	tool := testutil.Tool{Dir: dir, Stdin: strings.NewReader("in"), Env: []string{"A=1"}}
	if got := tool.Run(t, "sh", "-c", "pwd; cat; echo $A $LC_ALL $TZ; echo no >&2"); got != dir+"\nin1 C UTC\n" {
		t.Errorf("it printed %q", got)
	}
	tool = testutil.Tool{Both: true}
	if got := tool.Run(t, "sh", "-c", "echo 1; echo 2 >&2; echo 3"); got != "1\n2\n3\n" {
		t.Errorf("both are %q", got)
	}
}

// TestRunFails: the failure says what was run, and all that it said.
func TestRunFails(t *testing.T) {
	testutil.Need(t, "sh")
	said := failing(t, func(t testing.TB) { testutil.Run(t, "sh", "-c", "echo out; echo err >&2; exit 3") })
	if said != "sh -c echo out; echo err >&2; exit 3: exit status 3\nout\nerr\n" {
		t.Errorf("it says %q", said)
	}
	out, _, err := testutil.Tool{}.Try(t, "sh", "-c", "echo out; false")
	if out != "out\n" || err == nil {
		t.Errorf("it printed %q, %v", out, err)
	}
}

// TestRunInCleanup: a test's context has ended when it is cleaned up.
func TestRunInCleanup(t *testing.T) {
	testutil.Need(t, "true")
	t.Cleanup(func() { testutil.Run(t, "true") })
}
