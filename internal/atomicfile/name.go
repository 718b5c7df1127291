package atomicfile

import (
	"crypto/rand"
	"strings"
	"syscall"
)

// errUnsupportedSync is what fsync answers for a directory on file systems that have no such thing.
const errUnsupportedSync = syscall.EINVAL

// suffix ends the names of temporary files.
const suffix = ".part"

// prefix begins the names of the temporary files for base.
func prefix(base string) string { return "." + shorten(base) + "." }

// shorten keeps the temporary name within the 255 bytes of a name.
func shorten(base string) string {
	if len(base) > 180 {
		return base[:180]
	}
	return base
}

const randomLength = 12

func randomName() string { return rand.Text()[:randomLength] }

// isRandomName tells what [randomName] makes: letters and digits of RFC 4648's base32.
func isRandomName(s string) bool {
	return len(s) == randomLength && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
