package layers

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"
)

// What the members of a layer's stream are refused for, apart from what archive/tar refuses ([tar.ErrHeader]).
var (
	// ErrUnsafe: a member would be written outside of the directory: its name has a "..", or it lies below a
	// symbolic link.
	ErrUnsafe = errors.New("unsafe member")
	// ErrMember: no file system can hold the member: device numbers or owners out of range, an unknown type, a
	// hard link to nothing, a name that is too long.
	ErrMember = errors.New("impossible member")
)

// Whiteouts in a layer's tar: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const (
	WhiteoutPrefix = ".wh."
	// whiteoutMeta begins names that a storage driver has left behind. Apart from whiteoutOpaque they mean nothing.
	whiteoutMeta   = ".wh..wh."
	whiteoutOpaque = ".wh..wh..opq"
)

const (
	// MaxName is the longest single name, in bytes, as Linux file systems have it (NAME_MAX).
	MaxName = 255
	// maxTarget is the longest target of a symbolic link, in bytes (PATH_MAX, less the zero byte).
	maxTarget = 4095
)

// Split cuts a clean path into its directory, "" for the root, and its last name.
func Split(p string) (dir, base string) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return "", p
	}
	return p[:i], p[i+1:]
}

// PlainName reports whether name is a single component that stays in its directory.
func PlainName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// parseName says what a member is by its name, and which path it is about.
func parseName(name string) (string, Kind, error) {
	clean, err := cleanName(name, len(WhiteoutPrefix))
	if err != nil || !strings.Contains(clean, WhiteoutPrefix) {
		return clean, Entry, err
	}
	dir, base := Split(clean)
	for rest, more := dir, dir != ""; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		if strings.HasPrefix(part, whiteoutMeta) {
			return clean, Nothing, nil
		}
		if strings.HasPrefix(part, WhiteoutPrefix) {
			return "", Nothing, fmt.Errorf("%w: %q is a whiteout and holds nothing", ErrMember, part)
		}
	}
	hidden, ok := strings.CutPrefix(base, WhiteoutPrefix)
	switch {
	case !ok:
		return clean, Entry, nil
	case base == whiteoutOpaque:
		return dir, Opaque, nil
	case strings.HasPrefix(base, whiteoutMeta):
		return clean, Nothing, nil
	case !PlainName(hidden):
		return "", Nothing, fmt.Errorf("%w: whiteout of %q", ErrUnsafe, hidden)
	case dir == "":
		return hidden, Whiteout, nil
	}
	return dir + "/" + hidden, Whiteout, nil
}

// cleanTarget returns the path that a hard link is to.
func cleanTarget(name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("%w: hard link to nothing", ErrMember)
	}
	clean, err := cleanName(name, 0)
	if err == nil && clean == "" {
		err = fmt.Errorf("%w: it is the root", ErrMember)
	}
	if err != nil {
		return "", fmt.Errorf("hard link to %q: %w", name, err)
	}
	return clean, nil
}

// cleanName returns the path of a name, "" for the root. A leading slash can only mean the root of the image, and not all
// programs that write tar strip it. Whiteouts may be longer than other names by more. It does not allocate where there
// is nothing to clean but the ends.
func cleanName(name string, more int) (string, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return "", fmt.Errorf("%w: zero byte in the name", ErrUnsafe)
	}
	clean := strings.Trim(name, "/")
	for strings.HasPrefix(clean, "./") {
		clean = strings.TrimLeft(clean[1:], "/")
	}
	if clean == "." {
		clean = ""
	}
	plain := true
	for rest, again := clean, clean != ""; again; {
		var c string
		c, rest, again = strings.Cut(rest, "/")
		switch {
		case c == "" || c == ".":
			plain = false
		case c == "..":
			return "", fmt.Errorf("%w: %q in the name", ErrUnsafe, "..")
		case len(c) > MaxName && (len(c) > MaxName+more || !strings.HasPrefix(c, WhiteoutPrefix)):
			return "", fmt.Errorf("%w: name component of %d bytes, the limit is %d: %w", ErrMember, len(c), MaxName, syscall.ENAMETOOLONG)
		}
	}
	if plain {
		return clean, nil
	}
	return path.Clean(clean), nil
}
