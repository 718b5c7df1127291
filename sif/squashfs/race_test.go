//go:build race

package squashfs

import "testing"

// notUnderRace skips a test whose work is large and done by one goroutine: the race detector finds nothing in it and
// makes it ten times as slow. Continuous integration runs it without.
func notUnderRace(t testing.TB) {
	t.Helper()
	t.Skip("large, and for one goroutine: not under the race detector")
}
