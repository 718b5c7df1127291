package layers

import (
	"errors"
	"fmt"
	"strings"
)

// What the members of a layer's stream are refused for, apart from what archive/tar refuses ([tar.ErrHeader]).
var (
	// ErrUnsafe: a member would be written outside of the directory: its name is absolute or has a "..", or it
	// lies below a symbolic link.
	ErrUnsafe = errors.New("unsafe member")
	// ErrMember: no file system can hold the member: device numbers or owners out of range, an unknown type, a
	// hard link to nothing, an empty name.
	ErrMember = errors.New("impossible member")
)

// SplitName returns the components of a member's name, none for the root. It refuses what could lead out of it.
func SplitName(name string) ([]string, error) {
	switch {
	case name == "":
		return nil, fmt.Errorf("%w: it has no name", ErrMember)
	case name[0] == '/':
		return nil, fmt.Errorf("%w: its name is absolute", ErrUnsafe)
	case strings.IndexByte(name, 0) >= 0:
		return nil, fmt.Errorf("%w: its name has a NUL byte", ErrUnsafe)
	}
	path := make([]string, 0, strings.Count(name, "/")+1)
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			return nil, fmt.Errorf("%w: its name has a \"..\"", ErrUnsafe)
		default:
			path = append(path, part)
		}
	}
	return path, nil
}

// PlainName reports whether name is a single component that stays in its directory.
func PlainName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}
