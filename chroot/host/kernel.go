package host

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// KernelRelease is `uname -r`, or "unknown".
func KernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// AtLeast compares the first two numbers of a kernel's release.
func AtLeast(release string, major, minor int) bool {
	a, rest, _ := strings.Cut(release, ".")
	b := rest
	for i, c := range rest {
		if c < '0' || c > '9' {
			b = rest[:i]
			break
		}
	}
	x, err := strconv.Atoi(a)
	if err != nil {
		return false
	}
	y, err := strconv.Atoi(b)
	if err != nil {
		return false
	}
	return x > major || x == major && y >= minor
}
