package store

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNotMade: where the store cannot be made, what would help is said.
func TestNotMade(t *testing.T) {
	var made *makeError
	if err := makeRooms("/proc/nowhere", "tmp"); !errors.As(err, &made) {
		t.Fatalf("%v", err)
	}
	for cause, want := range map[error]bool{unix.EROFS: true, unix.EACCES: true, unix.ENOTDIR: false} {
		if got := (&makeError{fmt.Errorf("mkdir: %w", cause)}).Hint(); (got != "") != want {
			t.Errorf("%v: %q", cause, got)
		}
	}
}
