package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// seenOf is what a script sees of a merge: as [testutil.View] has it. Whoever builds, that is what the image says: init answers
// for the kernel where that knows less.
func seenOf(files map[string]*found) map[string]string {
	seen := map[string]string{}
	for path, f := range files {
		if path != "" {
			seen[path] = viewed(&f.m, f.content)
		}
	}
	return seen
}

// viewed describes a member as [testutil.View] does the file.
func viewed(m *layers.Member, content string) string {
	line := fmt.Sprintf("%#o %d:%d %d", m.Mode, m.UID, m.GID, m.ModTime.Unix())
	switch {
	case m.IsRegular():
		line += fmt.Sprintf(" %d %s", m.Size, content)
	case m.IsDevice():
		line += fmt.Sprintf(" %d:%d", m.Major, m.Minor)
	case m.Mode&unix.S_IFMT == unix.S_IFLNK:
		line += " -> " + m.Target
	}
	for _, name := range slices.Sorted(maps.Keys(m.Xattrs)) {
		if comparedXattr(name) {
			line += fmt.Sprintf(" %s=%q", name, m.Xattrs[name])
		}
	}
	return line
}

// withoutRecord leaves out the record of an owner that a link or a fifo carries as capabilities.
func withoutRecord(line string) string {
	if strings.HasPrefix(line, "0100") || !strings.Contains(line, `xtoo\x00\x00\x00\x00"`) {
		return line
	}
	line, _, _ = strings.Cut(line, " security.capability=")
	return line
}
