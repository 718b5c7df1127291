package layers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Difference is what two streams say differently of one member.
type Difference struct {
	// Path is the member's, from the root: "/etc/hosts". Of a whiteout it is what is hidden.
	Path string `json:"path"`
	// How says in words in what they differ: "content from byte 5 on", "mode 0644 and 0755", "only in the first".
	How []string `json:"how"`
}

// String is the difference in one line.
func (d Difference) String() string { return d.Path + ": " + strings.Join(d.How, ", ") }

// Compare compares two streams whose members are in canonical order, as layers of xtoo's own are, and calls each for those that differ, in
// that order. It reads both once, to their ends, and keeps one member of each in memory. It ends with ctx, with an error
// of reading, or with that of each.
func Compare(ctx context.Context, first, second io.Reader, each func(Difference) error) error {
	c := &comparison{in: [2]*Reader{NewReader(ctx, first), NewReader(ctx, second)}}
	for i := range c.in {
		if err := c.next(i); err != nil {
			return err
		}
	}
	for c.m[0] != nil || c.m[1] != nil {
		d, err := c.step()
		if err == nil && len(d.How) > 0 {
			err = each(d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A comparison is one Compare on its way.
type comparison struct {
	in   [2]*Reader
	m    [2]*Member // nil: there are no more
	bufs [2][32 << 10]byte
}

func (c *comparison) next(i int) error {
	m, err := c.in[i].Next()
	if errors.Is(err, io.EOF) {
		c.m[i] = nil
		return nil
	}
	c.m[i] = m
	return err
}

// step compares the next members, or passes one by that the other stream does not have.
func (c *comparison) step() (d Difference, err error) {
	var order int
	switch {
	case c.m[0] == nil:
		order = 1
	case c.m[1] == nil:
		order = -1
	default:
		order = compareNames(c.m[0].Name, c.m[1].Name)
	}
	switch {
	case order < 0:
		d = c.m[0].only("only in the first")
		return d, c.next(0)
	case order > 0:
		d = c.m[1].only("only in the second")
		return d, c.next(1)
	}
	d = Difference{Path: "/" + c.m[0].Path, How: c.m[0].differs(c.m[1])}
	if c.m[0].IsRegular() && c.m[1].IsRegular() {
		how, err := c.content()
		if err != nil {
			return d, fmt.Errorf("entry %q: %w", c.m[0].Name, err)
		}
		if how != "" {
			d.How = append(d.How, how)
		}
	}
	return d, errors.Join(c.next(0), c.next(1))
}

func (m *Member) only(where string) Difference {
	if m.Kind == Whiteout {
		where = "hidden " + where
	}
	return Difference{Path: "/" + m.Path, How: []string{where}}
}

// content compares the data of two regular files; "": they are the same.
func (c *comparison) content() (string, error) {
	if a, b := c.m[0].Size, c.m[1].Size; a != b {
		return fmt.Sprintf("content of %d and %d bytes", a, b), nil
	}
	for done := int64(0); ; {
		var n [2]int
		for i := range n {
			var err error
			n[i], err = io.ReadFull(c.in[i], c.bufs[i][:])
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return "", err
			}
		}
		a, b := c.bufs[0][:n[0]], c.bufs[1][:n[1]]
		if !bytes.Equal(a, b) {
			same := 0
			for same < min(len(a), len(b)) && a[same] == b[same] {
				same++
			}
			return fmt.Sprintf("content from byte %d on", done+int64(same)), nil
		}
		if n[0] < len(c.bufs[0]) {
			return "", nil
		}
		done += int64(n[0])
	}
}

// differs says in what two members of one name differ, but for their data.
func (m *Member) differs(o *Member) (how []string) {
	if a, b := m.kind(), o.kind(); a != b {
		return []string{a + " and " + b}
	}
	if m.Kind != Entry {
		if m.Target != o.Target {
			how = append(how, fmt.Sprintf("hard link to %q and %q", m.Target, o.Target))
		}
		return how
	}
	differ := func(yes bool, format string, args ...any) {
		if yes {
			how = append(how, fmt.Sprintf(format, args...))
		}
	}
	differ(m.Mode != o.Mode, "mode %04o and %04o", m.Mode&^unix.S_IFMT, o.Mode&^unix.S_IFMT)
	differ(m.UID != o.UID || m.GID != o.GID, "owner %d:%d and %d:%d", m.UID, m.GID, o.UID, o.GID)
	differ(m.Target != o.Target, "target %q and %q", m.Target, o.Target)
	differ(m.Major != o.Major || m.Minor != o.Minor, "device %d:%d and %d:%d", m.Major, m.Minor, o.Major, o.Minor)
	differ(!m.ModTime.Equal(o.ModTime), "time %s and %s", m.ModTime.UTC().Format(time.RFC3339Nano), o.ModTime.UTC().Format(time.RFC3339Nano))
	if maps.Equal(m.Xattrs, o.Xattrs) {
		return how
	}
	names := map[string]string{}
	maps.Copy(names, m.Xattrs)
	maps.Copy(names, o.Xattrs)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, inA := m.Xattrs[name]
		b, inB := o.Xattrs[name]
		differ(inA != inB || a != b, "xattr %q", name)
	}
	return how
}

// kind is what a member is, in words.
func (m *Member) kind() string {
	switch m.Kind {
	case HardLink:
		return "hard link"
	case Whiteout, Opaque:
		return "whiteout"
	case Nothing:
		return "nothing"
	}
	switch m.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFLNK:
		return "symbolic link"
	case unix.S_IFIFO:
		return "fifo"
	}
	return "device"
}

// compareNames compares names as they stand in a stream in canonical order: component by component, so that what is in a directory comes
// right behind it. The root comes first.
func compareNames(a, b string) int {
	a, b = strings.TrimSuffix(strings.TrimPrefix(a, "./"), "/"), strings.TrimSuffix(strings.TrimPrefix(b, "./"), "/")
	for i := 0; i < min(len(a), len(b)); i++ {
		switch x, y := a[i], b[i]; {
		case x == y:
		case x == '/':
			return -1
		case y == '/':
			return 1
		default:
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}
