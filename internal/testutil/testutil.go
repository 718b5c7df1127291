// Package testutil holds what the tests of several rooms share.
package testutil

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// NoSkipVar names the environment variable under which a test that cannot run fails instead of being
// skipped. Continuous integration sets it to 1 where every tool and privilege is known to be there.
const NoSkipVar = "XTOO_TEST_NO_SKIP"

// SkipOrFail ends the test: skipped on a developer's machine, failed where [NoSkipVar] is set.
func SkipOrFail(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(NoSkipVar) != "" {
		t.Fatalf("this test may not be skipped here: "+format, args...)
	}
	t.Skipf(format, args...)
}

// Need ends the test with [SkipOrFail] unless every named program is on the PATH.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			SkipOrFail(t, "the program %s is not on the PATH", p)
		}
	}
}

// LongVar names the environment variable under which slow tests run as well: everything that continuous integration
// runs and `make test` leaves out.
const LongVar = "XTOO_TEST_LONG"

// IsLong reports whether slow cases of a test are to run, too.
func IsLong() bool { return os.Getenv(LongVar) != "" }

// Long ends the test, skipped, unless [IsLong]. why says what makes it slow.
func Long(t testing.TB, why string) {
	t.Helper()
	if !IsLong() {
		t.Skipf("%s: %s=1 runs it", why, LongVar)
	}
}

// NeedRoot ends the test with [SkipOrFail] unless it runs as user 0. Tests that run as an unprivileged
// user on purpose are run again as root elsewhere, so NoSkipVar=1 there means: run them as root.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv(NoSkipVar) == "root" {
			t.Fatal("this test needs root")
		}
		t.Skip("this test needs root")
	}
}

// Must ends the test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Contains fails the test for each part that is not in a text.
func Contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}
