//go:build !race

package squashfs

import "testing"

// notUnderRace does nothing here: see race_test.go.
func notUnderRace(testing.TB) {}
