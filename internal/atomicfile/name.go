package atomicfile

import (
	"crypto/rand"
	"syscall"
)

// errUnsupportedSync is what fsync answers for a directory on file systems that have no such thing.
const errUnsupportedSync = syscall.EINVAL

// shorten keeps the temporary name within the 255 bytes of a name.
func shorten(base string) string {
	if len(base) > 180 {
		return base[:180]
	}
	return base
}

func randomName() string { return rand.Text()[:12] }
