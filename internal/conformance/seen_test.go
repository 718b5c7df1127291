package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// nothing is the content of an empty file, as [testutil.View] describes it.
const nothing = " 0 e3b0c442"

// seenOf is what a script sees of a merge: as [testutil.View] has it, with what a namespace with that map of ids cannot show.
func seenOf(files map[string]*found, idMap string) map[string]string {
	seen := map[string]string{}
	for path, f := range files {
		if path != "" {
			seen[path] = viewed(&f.m, f.content)
		}
	}
	return asSeen(seen, idMap)
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

// asSeen levels what a namespace cannot show: owners outside of its map are somebody else's, and devices are empty files. With
// one id a directory has the modes of one that its owner can empty.
func asSeen(tree map[string]string, idMap string) map[string]string {
	out := map[string]string{}
	for path, line := range tree {
		var mode uint32
		var uid, gid uint64
		if n, err := fmt.Sscanf(line, "%o %d:%d", &mode, &uid, &gid); n != 3 || err != nil {
			out[path] = line
			continue
		}
		rest := ""
		if f := strings.SplitN(line, " ", 3); len(f) > 2 {
			rest = " " + f[2]
		}
		if t := mode & unix.S_IFMT; t == unix.S_IFCHR || t == unix.S_IFBLK {
			mode = mode&^unix.S_IFMT | unix.S_IFREG
			sec, _, _ := strings.Cut(rest[1:], " ")
			rest = " " + sec + nothing
		}
		if mode&unix.S_IFMT == unix.S_IFDIR && mode&0o700 != 0o700 && seenAs(65535, idMap) == 0 {
			mode |= unix.S_ISVTX | 0o700
		}
		out[path] = fmt.Sprintf("%#o %d:%d%s", mode, seenAs(uid, idMap), seenAs(gid, idMap), rest)
	}
	return out
}

// withoutRecord leaves out the record of an owner that a link or a fifo carries as capabilities.
func withoutRecord(line string) string {
	if strings.HasPrefix(line, "0100") || !strings.Contains(line, `xtoo\x00\x00\x00\x00"`) {
		return line
	}
	line, _, _ = strings.Cut(line, " security.capability=")
	return line
}

// seenAs is what an id is on the disk.
func seenAs(id uint64, idMap string) uint64 {
	var highest uint64
	has := map[uint64]bool{}
	for l := range strings.Lines(idMap) {
		var inside, outside, count uint64
		if _, err := fmt.Sscan(l, &inside, &outside, &count); err != nil {
			continue
		}
		for _, want := range []uint64{id, 65535} {
			has[want] = has[want] || inside <= want && want < inside+count
		}
		highest = max(highest, inside+count-1)
	}
	switch {
	case has[id]:
		return id
	case has[65535]:
		return 65535
	}
	return highest
}

// The test's own rules: a line of a file is the line of what stands for it.
func TestAsSeen(t *testing.T) {
	got := asSeen(map[string]string{"d": "020644 7:4000000000 5 1:3", "f": "0100644 0:0 5 1 abc", "odd": "whiteout"}, "0 1000 1\n1 100000 65536\n")
	testutil.SameTrees(t, "seen", got, map[string]string{"d": "0100644 7:65535 5" + nothing, "f": "0100644 0:0 5 1 abc", "odd": "whiteout"})
	got = asSeen(map[string]string{"closed": "040555 7:0 5", "open": "042755 0:0 5", "f": "0100444 0:0 5 1 abc"}, "0 1000 1\n")
	testutil.SameTrees(t, "seen with one id", got, map[string]string{"closed": "041755 0:0 5", "open": "042755 0:0 5", "f": "0100444 0:0 5 1 abc"})
}
